package phx_test

import (
	"context"
	"net/http"
	"net/url"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// The regions between "doc:NAME" and "doc:end" stand in README as they are here.

// 127.0.0.1:4000 is often taken where tests run, so nobody calls this one; it compiles.
func _() error {
	// doc:room
	room := &phx.ChannelType{In: phx.Events{
		"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("new_msg", p) },
	}}
	ep, err := phx.Start(phx.Config{
		Addr:   "127.0.0.1:4000",
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
	})
	// doc:end
	if err != nil {
		return err
	}
	return ep.Shutdown(context.Background())
}

func TestReadmeMount(t *testing.T) {
	mux := http.NewServeMux()
	// doc:mount
	ep, err := phx.New(phx.Config{Mounts: mounts()})
	// …
	mux.Handle("/socket/", ep) // net/http's mux; in chi: r.Handle("/socket/*", ep)
	// doc:end
	if err != nil {
		t.Fatal(err)
	}
	if _, pattern := mux.Handler(&http.Request{Method: "GET", Host: "localhost", URL: &url.URL{Path: "/socket/websocket"}}); pattern != "/socket/" {
		t.Errorf("the mux sends /socket/websocket to %q", pattern)
	}
	if err := ep.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// doc:test
func TestRoom(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
	ann, bob := phxtest.Connect(t, ep, "/socket", nil), phxtest.Connect(t, ep, "/socket", nil)
	room, other := ann.Join("room:lobby", nil), bob.Join("room:lobby", nil)
	room.Push("new_msg", NewMsg{Body: "hi"})
	other.ExpectBroadcast("new_msg", NewMsg{Body: "hi"})
}

// doc:end

type NewMsg struct {
	Body string `json:"body"`
}

// mounts are those of README's "Write a channel".
func mounts() []phx.Mount {
	room := &phx.ChannelType{In: phx.Events{
		"new_msg": phx.On(func(ch *phx.Channel, m NewMsg) (any, error) { return nil, ch.Broadcast("new_msg", m) }),
	}}
	return []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}}
}

// doc:presence
var here = presence.New(presence.Config{})

var office = &phx.ChannelType{
	Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
		_, err := here.Track(ch, "ann", map[string]any{"status": "online"}) // until the channel ends
		return nil, err
	},
	Joined: func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) },
}

// doc:end

func TestReadmePresence(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "office", Type: office}}}}})
	t.Cleanup(here.Close)
	phxtest.Connect(t, ep, "/socket", nil).Join("office", nil).ExpectPush("presence_state", phxtest.Any)
}
