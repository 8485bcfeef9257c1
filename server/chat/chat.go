// Package chat is the chat server: rooms of people who talk, on package phx,
// with a page to try it in a browser. The load test runs it too.
package chat

import (
	"net/http"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/web"
)

// Room is a chat room: what one says, all who joined hear.
func Room() *phx.ChannelType {
	return &phx.ChannelType{In: phx.Events{
		"new_msg": say("new_msg"),
		"shout":   say("shout"),
		"ping":    func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
	}}
}

func say(event string) func(*phx.Channel, phx.Payload) (any, error) {
	return func(ch *phx.Channel, p phx.Payload) (any, error) {
		if _, binary := p.Binary(); !binary && p.JSON()[0] != '{' {
			return nil, phx.Errorf("the payload must be an object")
		}
		return nil, ch.Broadcast(event, p)
	}
}

// mounts is where clients find the rooms.
func mounts() []phx.Mount {
	return []phx.Mount{{
		Path:   "/socket",
		Routes: []phx.Route{{Pattern: "room:*", Type: Room()}},
	}}
}

// page serves the page at /.
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
