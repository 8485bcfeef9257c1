package api

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// A message is the body of a broadcast.
type message struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

// check accepts only messages that clients can use. It refuses topics that begin with
// NUL, on which nodes talk to each other, and the events by which an endpoint tells
// clients about their channels: a phx_close, say, would be known to the client alone.
func (m *message) check() error {
	switch {
	case m.Topic == "" || m.Event == "":
		return errors.New("topic and event must not be empty")
	case strings.HasPrefix(m.Topic, "\x00"):
		return errors.New("topic begins with NUL: those are of the nodes")
	case strings.HasPrefix(m.Event, "phx_"):
		return fmt.Errorf("event is %.20s: those that begin with phx_ are of the protocol", m.Event)
	case m.Payload == nil:
		m.Payload = json.RawMessage("{}")
	case m.Payload[0] != '{':
		return fmt.Errorf("payload is %.20s: want an object", m.Payload)
	}
	return nil
}

// broadcast is POST /v1/broadcast.
func (a *api) broadcast(w http.ResponseWriter, r *http.Request) {
	m, status, err := a.read(w, r)
	if err != nil {
		fail(w, status, err)
		return
	}
	a.publish(w, r, m)
}

var errCrowded = errors.New("too many requests at a time")

// enter takes a place of those for what may be large: of that there is so much at a time,
// and no more.
func enter(places chan struct{}, w http.ResponseWriter) (leave func(), ok bool) {
	select {
	case places <- struct{}{}:
		return func() { <-places }, true
	default:
		w.Header().Set("Retry-After", "1")
		return nil, false
	}
}

// read reads a message.
func (a *api) read(w http.ResponseWriter, r *http.Request) (m message, status int, err error) {
	leave, ok := enter(a.bodies, w)
	if !ok {
		return m, http.StatusServiceUnavailable, errCrowded
	}
	defer leave()
	text, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxBody))
	if tooLarge := (*http.MaxBytesError)(nil); errors.As(err, &tooLarge) {
		return m, http.StatusRequestEntityTooLarge, err
	}
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return m, http.StatusRequestTimeout, fmt.Errorf("the body took longer than %v", bodyTime)
	}
	if err != nil {
		return m, http.StatusBadRequest, fmt.Errorf("read the body: %w", err)
	}
	if !utf8.Valid(text) { // the decoder would put something else in its place
		return m, http.StatusBadRequest, wire.ErrNotUTF8
	}
	in := json.NewDecoder(bytes.NewReader(text))
	in.DisallowUnknownFields()
	if err := in.Decode(&m); err != nil {
		return m, http.StatusBadRequest, fmt.Errorf("the body is no message: %w", err)
	}
	if _, err := in.Token(); err != io.EOF {
		return m, http.StatusBadRequest, errors.New("something follows the message")
	}
	return m, 0, nil
}

// publish broadcasts, and answers how that went.
func (a *api) publish(w http.ResponseWriter, r *http.Request, m message) {
	if err := m.check(); err != nil {
		fail(w, http.StatusBadRequest, err)
		return
	}
	err := a.endpoint.BroadcastContext(r.Context(), m.Topic, m.Event, m.Payload)
	switch {
	case err == nil:
		w.WriteHeader(http.StatusNoContent)
	case errors.Is(err, pubsub.ErrOverloaded): // no one has got it
		w.Header().Set("Retry-After", "1")
		fail(w, http.StatusServiceUnavailable, err)
	case errors.Is(err, phx.ErrTooLarge):
		fail(w, http.StatusRequestEntityTooLarge, err)
	case errors.Is(err, wire.ErrNotUTF8):
		fail(w, http.StatusBadRequest, err)
	default:
		fail(w, http.StatusBadGateway, err)
	}
}

// disconnect is POST /v1/sockets/{id}/disconnect. The id is the one that
// Socket.SetID has set; many sockets may have it, or none.
func (a *api) disconnect(w http.ResponseWriter, r *http.Request) {
	a.publish(w, r, message{Topic: r.PathValue("id"), Event: "disconnect", Payload: json.RawMessage("{}")})
}

// topics is GET /v1/topics. Operators have the same list.
func (a *api) topics(w http.ResponseWriter, r *http.Request) { a.lists.ServeHTTP(w, r) }

// topic is GET /v1/topics/{topic}. Nodes that do not answer are named: the count is
// too low by theirs.
func (a *api) topic(w http.ResponseWriter, r *http.Request) {
	topic := r.PathValue("topic")
	n, err := a.endpoint.SubscribersEverywhere(r.Context(), topic)
	got := map[string]any{"topic": topic, "subscribers": n, "here": a.endpoint.Subscribers(topic)}
	if err != nil {
		got["incomplete"] = err.Error()
	}
	answer(w, http.StatusOK, got)
}

// present is GET /v1/topics/{topic}/presence.
func (a *api) present(w http.ResponseWriter, r *http.Request) {
	if a.presence == nil {
		fail(w, http.StatusNotFound, errors.New("this server has no presence"))
		return
	}
	leave, ok := enter(a.crowds, w)
	if !ok {
		fail(w, http.StatusServiceUnavailable, errCrowded)
		return
	}
	defer leave()
	topic := r.PathValue("topic")
	answer(w, http.StatusOK, map[string]any{"topic": topic, "count": a.presence.Count(topic), "presence": a.presence.List(topic)})
}
