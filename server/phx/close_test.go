package phx_test

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// What ends a connection, and with which code (spec §1.8).
func TestCloseCodes(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", MaxFrame: 1000, MaxMessage: 1500}}})
	for _, tt := range []struct {
		name string
		send []byte
		want ws.StatusCode
	}{
		{"no JSON", masked(ws.OpText, `[`), 1011},
		{"too few elements", masked(ws.OpText, `["1","1","t","e"]`), 1011},
		{"V1 on a V2 socket", masked(ws.OpText, `{"topic":"t","event":"e","payload":{},"ref":null}`), 1011},
		{"empty text", masked(ws.OpText, ``), 1011},
		{"short binary", masked(ws.OpBinary, "\x00\x01"), 1011},
		{"binary reply", masked(ws.OpBinary, "\x01\x00\x00\x00\x00"), 1011},
		{"invalid UTF-8", masked(ws.OpText, "\xff"), 1007},
		{"unmasked", frame.Append(nil, ws.OpText, []byte(`[]`)), 1002},
		{"reserved bit", []byte{0xc1, 0x80, 0, 0, 0, 0}, 1002},
		{"unknown opcode", []byte{0x83, 0x80, 0, 0, 0, 0}, 1002},
		{"stray continuation", masked(ws.OpContinuation, "x"), 1002},
		{"large frame", masked(ws.OpText, string(make([]byte, 1001))), 1009},
		{"Close", masked(ws.OpClose, "\x03\xe9"), 1001},
		{"Close without a code", masked(ws.OpClose, ""), 1000},
		{"Close of the application's", masked(ws.OpClose, "\x0f\xa0bye"), 4000},
		{"Close with an illegal code", masked(ws.OpClose, "\x03\xed"), 1002},
		{"Close with one byte", masked(ws.OpClose, "\x03"), 1002},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dial(t, ep)
			c.write(append(tt.send, masked(ws.OpText, `[null,"hb","phoenix","heartbeat",{}]`)...))
			c.wantClosed(tt.want)
		})
	}
	eventually(t, "all are gone", func() bool { return ep.Stats().Connections == 0 })
}

func masked(op ws.OpCode, payload string) []byte {
	return frame.AppendMasked(nil, op, mask, []byte(payload))
}

// Control frames may come between the fragments of a message (transcript A23).
func TestFragments(t *testing.T) {
	c := dial(t, start(t))
	first := masked(ws.OpText, `[null,"1","phoenix",`)
	first[0] &^= 0x80 // not the last
	c.write(first)
	c.send(ws.OpPing, []byte("p"))
	c.send(ws.OpContinuation, []byte(`"heartbeat",{}]`))
	if f := c.next(); f.Op != ws.OpPong || string(f.Payload) != "p" {
		t.Errorf("got opcode %#x and %q first, want the pong", f.Op, f.Payload)
	}
	c.want(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// A connection is closed when nothing has come in for Mount.Idle (transcript
// A24). A ping counts; what the server sends does not.
func TestIdle(t *testing.T) {
	t.Parallel()
	const idle = 2 * time.Second
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket", Idle: idle, Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
	}}})
	c := dial(t, ep)
	c.join("a")
	var last time.Time
	for range 3 { // together longer than idle
		select {
		case <-time.After(idle / 2):
		case <-t.Context().Done():
		}
		last = time.Now()
		c.send(ws.OpPing, nil)
		if f := c.next(); f.Op != ws.OpPong {
			t.Fatalf("got opcode %#x, want a pong", f.Op)
		}
	}
	done := make(chan struct{})
	var publisher sync.WaitGroup
	publisher.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(idle / 10):
				_ = ep.Broadcast("a", "e", nil)
			}
		}
	})
	defer publisher.Wait()
	defer close(done)
	f := c.next()
	for f.Op == ws.OpText {
		f = c.next()
	}
	if code, _ := frame.ParseClose(f.Payload); f.Op != ws.OpClose || code != 1002 {
		t.Errorf("got opcode %#x and code %d, want Close with 1002", f.Op, code)
	}
	if d := time.Since(last); d < idle-idle/10 || d > patience { // the loop may have been held up
		t.Errorf("closed %v after the last ping, want %v or a little more", d, idle)
	}
}

// Who has been let in can be closed by its id from then on.
func TestDisconnectAtOnce(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Connect: setID("users_socket:7")}}})
	for range 200 {
		c := dial(t, ep)
		if err := ep.Broadcast("users_socket:7", "disconnect", nil); err != nil {
			t.Fatal(err)
		}
		c.wantClosed(1001)
	}
}

// A "disconnect" on a socket's id closes all sockets with that id, with 1001 and
// no message before (spec §4.3, transcript A21). Other events do not.
func TestDisconnect(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket",
		Connect: func(s *phx.Socket, p phx.Params, _ *http.Request) error {
			s.SetID("users:" + p.String("user"))
			return nil
		},
		Routes: []phx.Route{{Pattern: "*", Type: transcriptRoom()}},
	}}})
	c, tab := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&user=1"), dialAt(t, ep, "/socket/websocket?user=1")
	other := dialAt(t, ep, "/socket/websocket?vsn=2.0.0&user=2")
	for _, c := range []*client{c, other} {
		c.join("room:t")
		c.heartbeat()
	}
	for _, event := range []string{"e", "disconnect"} {
		if err := ep.Broadcast("users:1", event, nil); err != nil {
			t.Fatal(err)
		}
	}
	c.wantClosed(1001)
	tab.wantClosed(1001)
	other.heartbeat()
	c.hangUp(false)
	tab.hangUp(true)
	eventually(t, "the id has no subscribers", func() bool { return ep.Subscribers("users:1") == 0 })
}

// Shutdown closes sockets with 1012 and no message before (transcript A22),
// ends handshakes, accepts no one, and waits for all of it.
func TestShutdown(t *testing.T) {
	g := newGate()
	ep := startConfig(t, phx.Config{HandshakeTimeout: time.Hour, Mounts: []phx.Mount{
		{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: transcriptRoom()}}},
		{Path: "/slow", Connect: func(*phx.Socket, phx.Params, *http.Request) error { g.pass(); return nil }},
	}})
	c, half, connecting := dial(t, ep), connect(t, ep), connect(t, ep)
	c.join("room:t")
	half.write([]byte("GET /socket/websocket HTTP/1.1\r\n"))
	connecting.write(request("/slow/websocket"))
	within(t, "call of Connect", g.entered)
	addr := ep.Addr().String()
	down := make(chan error, 1)
	go func() { down <- ep.Shutdown(context.Background()) }() // awaited below
	c.wantClosed(1012)
	half.wantEnd()
	connecting.wantEnd()
	c.hangUp(false)
	close(g.open)
	if err := within(t, "end of Shutdown", down); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	if got := ep.Addr().String(); got != addr {
		t.Errorf("Addr() = %s after Shutdown, want %s", got, addr)
	}
	if st := ep.Stats(); st != (phx.Stats{}) {
		t.Errorf("Stats() = %+v after Shutdown, want none", st)
	}
	if err := ep.Shutdown(context.Background()); err != nil {
		t.Errorf("second Shutdown: %v", err)
	}
}

// wantEnd checks that the connection ends, one way or another.
func (c *client) wantEnd() {
	c.t.Helper()
	for {
		if err := c.read(); err != nil {
			return
		}
	}
}

// When time is up, Shutdown cuts the connections of clients that do not hang up,
// and says so.
func TestShutdownTimesOut(t *testing.T) {
	ep, err := phx.Start(phx.Config{Addr: "127.0.0.1:0", Hosts: []string{phx.AnyHost}, Mounts: []phx.Mount{{Path: "/socket"}}})
	if err != nil {
		t.Fatal(err)
	}
	c := dial(t, ep) // and never closes its side
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := ep.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown = %v, want %v", err, context.DeadlineExceeded)
	}
	c.wantClosed(1012)
}

// Shutdown may come while clients connect, join and talk.
func TestShutdownUnderLoad(t *testing.T) {
	ep := start(t, phx.Route{Pattern: "room:*", Type: talkRoom()})
	var clients sync.WaitGroup
	var once sync.Once
	busy := make(chan struct{})
	for range 16 {
		clients.Go(func() {
			for i := 0; ; i++ {
				if i == 3 {
					once.Do(func() { close(busy) })
				}
				if !talk(ep.Addr().String()) {
					return
				}
			}
		})
	}
	within(t, "client that has talked thrice", busy)
	for range 3 {
		ep.Stats()
	}
	shutdown(t, ep)
	clients.Wait()
	if n := ep.Subscribers("room:1"); n != 0 {
		t.Errorf("%d subscribers are left, want 0", n)
	}
}
