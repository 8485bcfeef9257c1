package phxtest_test

import (
	"context"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
)

func TestEndsOfAChannel(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
	c := connect(t, ep)

	room := c.Join("room:left", nil)
	room.Leave()
	room.Push("ping", nil).ExpectReply("error", map[string]any{"reason": "unmatched topic"})

	room = c.Join("room:crashed", nil)
	crash := room.Push("crash", nil)
	room.ExpectError()
	crash.RefuteReply()

	room = c.Join("room:stopped", nil)
	room.Push("stop", nil).ExpectReply("ok", nil)
	room.ExpectClose()
	room.RefutePush("phx_error", phxtest.Any)
}

func TestWhatTerminatePushesIsExpectable(t *testing.T) {
	c := connect(t, serve(t, "room:*", phx.ChannelType{
		Terminate: func(ch *phx.Channel, why phx.Reason) {
			<-time.After(20 * time.Millisecond) // the work of an application
			_ = ch.Push("bye", map[string]any{"why": why})
		},
	}))
	room := c.Join("room:1", nil)
	room.Leave()
	room.ExpectPush("bye", map[string]any{"why": "left"})
}

func TestCloseEndsTheChannels(t *testing.T) {
	ep := serve(t, "room:*", phx.ChannelType{})
	for range 100 {
		c := connect(t, ep)
		c.Join("room:1", nil)
		c.Join("room:2", nil)
		c.Close()
		if a, b := ep.Subscribers("room:1"), ep.Subscribers("room:2"); a+b > 0 {
			t.Fatalf("%d and %d subscribers after Close", a, b)
		}
	}
}

// A Terminate may wait for the test.
func TestCloseDoesNotWaitForTerminate(t *testing.T) {
	ended := make(chan phx.Reason)
	c := connect(t, serve(t, "room:*", phx.ChannelType{
		Terminate: func(_ *phx.Channel, why phx.Reason) { ended <- why },
	}))
	c.Join("room:1", nil)
	c.Close()
	if why := <-ended; why != phx.Closed {
		t.Errorf("terminated because of %q, want %q", why, phx.Closed)
	}
}

// A socket that is connected is known by its id.
func TestDisconnectAtOnce(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
	for range 200 {
		c := connect(t, ep)
		if err := ep.Broadcast("users:ann", "disconnect", nil); err != nil {
			t.Fatal(err)
		}
		c.ExpectClose(1001)
	}
}

func TestServerClosesTheConnection(t *testing.T) {
	ep := phxtest.Start(t, phx.Config{Mounts: mounts()})
	c := connect(t, ep)
	room := c.Join("room:1", nil)
	if err := ep.Broadcast("users:ann", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	c.ExpectClose(1001)
	room.RefutePush("phx_close", phxtest.Any)
	c.Close() // once more is fine

	c = connect(t, ep)
	stopped := make(chan error)
	go func() { stopped <- ep.Shutdown(context.Background()) }() // read below
	c.ExpectClose(1012)
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}
