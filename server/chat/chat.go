// Package chat is the demo server: a chat, on package phx, and an example for
// each other thing that channels are used for, with pages to try them in a
// browser. The load test runs it too, for its rooms.
//
// Each example is one file to copy from: [Room], [Scores], [Boards], [Users].
// Their channel types may be used by several mounts; all they remember is
// bounded and in memory.
package chat

import (
	"crypto/rand"
	"log/slog"
	"net/http"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
	"github.com/roost-rt/roost/server/web"
)

// Room is a chat room: what one says, all who joined hear.
//
//	new_msg  any object, to all
//	typing   any object, to the others
//	history  answered with what was last said on this node:
//	         {"messages": [{"at": milliseconds since 1970, "message": …}, …]}
//	shout    as new_msg, but in no history
//	ping     answered with its own payload
//
// Each call makes rooms with a history of their own.
func Room() *phx.ChannelType {
	var past history
	return &phx.ChannelType{
		In: phx.Events{
			"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) {
				if err := say(ch, "new_msg", p); err != nil {
					return nil, err
				}
				if _, binary := p.Binary(); !binary {
					past.add(ch.Topic(), p.JSON())
				}
				return nil, nil
			},
			"shout": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, say(ch, "shout", p) },
			"typing": func(ch *phx.Channel, p phx.Payload) (any, error) {
				if err := object(p); err != nil {
					return nil, err
				}
				return nil, ch.BroadcastFrom("typing", p)
			},
			"history": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				return map[string]any{"messages": past.of(ch.Topic())}, nil
			},
			"ping": func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		},
		LogJoin: slog.LevelDebug, // a load test has a million of them
	}
}

func say(ch *phx.Channel, event string, p phx.Payload) error {
	if err := object(p); err != nil {
		return err
	}
	return ch.Broadcast(event, p)
}

// object refuses JSON that is no object, which clients could not read.
func object(p phx.Payload) error {
	if _, binary := p.Binary(); !binary && p.JSON()[0] != '{' {
		return phx.Errorf("the payload must be an object")
	}
	return nil
}

// People adds to a room the list of who is there, for the Presence class of the client.
//
//	enter  {"user": name}: is there under that name, and under no other any more. The
//	       sender gets presence_state; presence_diff is for all
func People(room *phx.ChannelType, here *presence.Presence) *phx.ChannelType {
	room.In["enter"] = phx.On(func(ch *phx.Channel, u newcomerAs) (any, error) {
		if before := phx.Value[string](ch, "user"); before != u.User {
			here.Untrack(ch, before)
			ch.Assign("user", u.User)
			if _, err := here.Track(ch, u.User, nil); err != nil {
				return nil, phx.Errorf("this name does not go: %v", err)
			}
		}
		return phx.OK, here.PushState(ch)
	})
	return room
}

// everybody has all who join a room seen there, as guests beside the names under which
// they enter.
func everybody(room *phx.ChannelType, here *presence.Presence) *phx.ChannelType {
	room.Join = func(ch *phx.Channel, _ phx.Payload) (any, error) {
		_, err := here.Track(ch, "guest "+rand.Text()[:10], nil)
		return nil, err
	}
	room.Joined = func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) }
	return room
}

// people are those who are seen in rooms.
func (o *options) people(log *slog.Logger) *presence.Presence {
	cfg := presence.Config{Logger: log}
	all := func(string) bool { return true }
	switch o.presence {
	case "full":
		cfg.MaxFull = -1
	case "sample":
		cfg.SampleOnly = all
	case "count":
		cfg.CountOnly = all
	}
	return presence.New(cfg)
}

type newcomerAs struct {
	User string `json:"user"`
}

func (u newcomerAs) Validate() error { return checkText("user", u.User, 32) }

// mounts is where clients find the examples. Users have a mount of their own, to
// say who they are when they connect.
func (o *options) mounts(scores *Scores, here *presence.Presence) []phx.Mount {
	room := People(Room(), here)
	if o.presence != "" {
		room = everybody(room, here)
	}
	mounts := []phx.Mount{
		{Path: "/socket", LongPoll: &phx.LongPoll{}, LogConnect: slog.LevelDebug, Routes: []phx.Route{
			{Pattern: "room:*", Type: room},
			{Pattern: "scores:*", Type: scores.Type()},
			{Pattern: "board:*", Type: NewBoards().Type()},
		}},
		NewUsers().Mount("/user"),
	}
	for i := range mounts {
		mounts[i].Idle = o.idle
	}
	return mounts
}

// page serves the pages at /.
func page() http.Handler {
	files := http.FileServerFS(web.Files())
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", "default-src 'self'; connect-src 'self' ws: wss:; frame-ancestors 'none'")
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-cache")
		files.ServeHTTP(w, r)
	})
}
