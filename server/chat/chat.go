// Package chat is the demo server: a chat, on package phx, and an example for
// each other thing that channels are used for, with pages to try them in a
// browser. The load test runs it too, for its rooms.
//
// Each example is one file to copy from: [Room], [Scores], [Boards], [Users].
// Their channel types may be used by several mounts; all they remember is
// bounded and in memory.
package chat

import (
	"log/slog"
	"net/http"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/web"
)

// Room is a chat room: what one says, all who joined hear.
func Room() *phx.ChannelType {
	return &phx.ChannelType{
		In: phx.Events{
			"new_msg": say("new_msg"),
			"shout":   say("shout"),
			"ping":    func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		},
		LogJoin: slog.LevelDebug, // a load test has a million of them
	}
}

func say(event string) func(*phx.Channel, phx.Payload) (any, error) {
	return func(ch *phx.Channel, p phx.Payload) (any, error) {
		if _, binary := p.Binary(); !binary && p.JSON()[0] != '{' {
			return nil, phx.Errorf("the payload must be an object")
		}
		return nil, ch.Broadcast(event, p)
	}
}

// mounts is where clients find the examples. Users have a mount of their own, to
// say who they are when they connect.
func mounts(scores *Scores) []phx.Mount {
	return []phx.Mount{
		{Path: "/socket", LongPoll: &phx.LongPoll{}, LogConnect: slog.LevelDebug, Routes: []phx.Route{
			{Pattern: "room:*", Type: Room()},
			{Pattern: "scores:*", Type: scores.Type()},
			{Pattern: "board:*", Type: NewBoards().Type()},
		}},
		NewUsers().Mount("/user"),
	}
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
