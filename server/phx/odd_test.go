package phx_test

import (
	"context"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// A Connect that returns a nil pointer as an error refuses the client, on both
// transports: an error is not nil because what it holds is.
func TestNilRefusal(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", LongPoll: &phx.LongPoll{},
		Connect: func(*phx.Socket, phx.Params, *http.Request) error { var no *phx.RefuseError; return no },
	}}})
	c := connect(t, ep)
	c.write(request("/socket/websocket?vsn=2.0.0"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 403 ") {
		t.Errorf("answer %q, want 403", head)
	}
	w := dialWeb(t, ep)
	w.send("GET", "/socket/longpoll?vsn=2.0.0", "")
	if got := w.receive(); got.Status != 403 {
		t.Errorf("long poll: status %d, want 403", got.Status)
	}
}

// Who is refused is not told of on the event loop: the text of the error may be the
// application's. That goes for both transports.
func TestRefusalsAreSettledOffTheLoop(t *testing.T) {
	free, eps := make(chan bool, 1), make(chan *phx.Endpoint, 2)
	ep := startConfig(t, phx.Config{
		Loops: 1,
		Telemetry: &phx.Telemetry{Connected: func(e phx.ConnectEvent) {
			looked := make(chan struct{})
			go func() { (<-eps).Stats(); close(looked) }() // asks the loop
			select {
			case <-looked:
				free <- true
			case <-time.After(10 * time.Second):
				free <- false
			}
		}},
		Mounts: []phx.Mount{{
			Path: "/socket", LongPoll: &phx.LongPoll{},
			Connect: func(*phx.Socket, phx.Params, *http.Request) error { return &phx.RefuseError{} },
		}},
	})
	eps <- ep
	eps <- ep
	connect(t, ep).write(request("/socket/websocket?vsn=2.0.0"))
	if !within(t, "refusal", free) {
		t.Error("the loop waits for a hook at the refusal of a WebSocket")
	}
	dialWeb(t, ep).send("GET", "/socket/longpoll?vsn=2.0.0", "")
	if !within(t, "refusal", free) {
		t.Error("the loop waits for a hook at the refusal of a long poll")
	}
}

// A Mount.Drain that does not return, or not in an ordinary way, does not hold the end up:
// its clients go as by the zero Drain.
func TestDrainThatDoesNotReturn(t *testing.T) {
	for name, drain := range map[string]func() phx.Drain{
		"panics":     func() phx.Drain { panic("on purpose") },
		"Goexit":     func() phx.Drain { runtime.Goexit(); return phx.Drain{} },
		"never ends": func() phx.Drain { <-t.Context().Done(); return phx.Drain{} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := startOnly(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Drain: drain}}})
			c := dial(t, ep)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			down := make(chan error, 1)
			go func() { down <- ep.Shutdown(ctx) }() // awaited here
			if f, err := c.tryNext(); err == nil && f.Op != ws.OpClose {
				t.Errorf("got %+v, want Close", f)
			}
			c.conn.Close()
			_ = within(t, "end of Shutdown", down) // its time may have been over
		})
	}
}
