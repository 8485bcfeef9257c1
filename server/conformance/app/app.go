package main

import (
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"

	"github.com/go-chi/chi/v5"
	"github.com/go-chi/chi/v5/middleware"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// An app is a node: chat rooms for those whom its store knows, and an ordinary
// HTTP API beside them.
type app struct {
	store    *store
	endpoint *phx.Endpoint
}

func newApp(s *store, link pubsub.Adapter, log *slog.Logger) (*app, error) {
	a := &app{store: s}
	room := &phx.ChannelType{Join: a.join, In: phx.Events{"say": phx.On(a.say)}}
	ep, err := phx.New(phx.Config{
		Adapter: link,
		Logger:  log,
		Mounts: []phx.Mount{{
			Path:     "/realtime/socket",
			Connect:  a.connect,
			LongPoll: &phx.LongPoll{},
			Routes:   []phx.Route{{Pattern: "room:*", Type: room}},
		}},
	})
	a.endpoint = ep
	return a, err
}

// connect lets those in who have a token. Its query ends when the client hangs up.
func (a *app) connect(s *phx.Socket, params phx.Params, r *http.Request) error {
	user, err := a.store.user(r.Context(), params.String("token"))
	if errors.Is(err, sql.ErrNoRows) {
		return &phx.RefuseError{Status: http.StatusUnauthorized}
	}
	if err != nil {
		return err
	}
	s.SetID("users:" + user)
	s.Assign("user", user)
	return nil
}

// join lets members in. Its query ends with the channel.
func (a *app) join(ch *phx.Channel, _ phx.Payload) (any, error) {
	room := strings.TrimPrefix(ch.Topic(), "room:")
	user := phx.Value[string](ch, "user")
	is, err := a.store.isMember(ch.CallbackContext(), user, room)
	if err == nil && !is {
		err = phx.Errorf("not a member")
	}
	return nil, err
}

// A saying is a message to a room.
type saying struct {
	From string `json:"from"`
	Text string `json:"text"`
}

func (a *app) say(ch *phx.Channel, s saying) (any, error) {
	s.From = phx.Value[string](ch, "user")
	return phx.OK, ch.Broadcast("said", s)
}

// routes returns the pages of the app, with its endpoint among them. chi's Mount leaves
// the path as it is.
func (a *app) routes() http.Handler {
	r := chi.NewRouter()
	r.Use(middleware.RequestID, middleware.Recoverer)
	r.Get("/healthz", a.health)
	r.Post("/rooms/{room}/announcements", a.announce)
	r.Mount("/realtime", a.endpoint)
	return r
}

func (a *app) health(w http.ResponseWriter, _ *http.Request) {
	if err := a.endpoint.Ready(); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	_, _ = io.WriteString(w, "ok\n") // the client's matter
}

// announce sends what is posted to a room, on all nodes. The author's token is in the
// header.
func (a *app) announce(w http.ResponseWriter, r *http.Request) {
	user, err := a.store.user(r.Context(), strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "))
	if err != nil {
		http.Error(w, "who are you?", http.StatusUnauthorized)
		return
	}
	var s saying
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10)).Decode(&s); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	s.From = user
	if err := a.endpoint.Broadcast("room:"+chi.URLParam(r, "room"), "announcement", s); err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}
