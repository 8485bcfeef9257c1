package phx_test

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// cutMessage is a text message of n bytes, less what is missing at its end.
func cutMessage(n, missing int) []byte {
	b := frame.AppendMasked(nil, ws.OpText, mask, []byte(`[null,"hb","phoenix","heartbeat","`+strings.Repeat("x", n-36)+`"]`))
	return b[:len(b)-missing]
}

func eventuallyHolds(t *testing.T, ep *phx.Endpoint, what string, low, high int) {
	t.Helper()
	eventually(t, what, func() bool { n := ep.Incoming(); return low <= n && n <= high })
}

// What is held of messages is bounded for all clients together, and is counted
// exactly, however their connections end.
func TestIncomingMax(t *testing.T) {
	const part = 300_000
	ep := startConfig(t, phx.Config{IncomingMax: 1 << 20, Mounts: []phx.Mount{{Path: "/socket", Connect: setID("u:1")}}})
	var clients []*client
	for i := range 3 {
		c := dial(t, ep)
		c.write(cutMessage(part+200_000, 200_000))
		eventuallyHolds(t, ep, "parts of messages are held", (i+1)*part, (i+1)*(part+64<<10))
		clients = append(clients, c)
	}
	late := dial(t, ep)
	late.write(cutMessage(part+200_000, 200_000))
	late.wantClosed(1013)
	eventuallyHolds(t, ep, "what was refused is let go", 3*part, 3*(part+64<<10))

	small := dial(t, ep) // has room all the same
	message := cutMessage(1000, 0)
	small.write(message[:500])
	eventuallyHolds(t, ep, "half of a small message is held", 3*part+400, 3*(part+64<<10)+1000)
	small.write(message[500:])
	small.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)

	clients[0].hangUp(true)
	clients[1].hangUp(false)
	eventuallyHolds(t, ep, "only one is left", part, part+64<<10)
	clients[2].write(cutMessage(part+200_000, 0)[len(cutMessage(part+200_000, 200_000)):])
	clients[2].want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
	if l := ep.Ledger(); len(l.Cuts) != 1 || l.Cuts[0].Cause != phx.NoRoom || l.Cuts[0].Count != 1 || l.Incoming != 0 || l.IncomingMax != 1<<20 {
		t.Errorf("Ledger() = %+v, want one client that there was no room for", l)
	}

	clients[2].write(cutMessage(part, 1000))
	eventuallyHolds(t, ep, "a part is held again", 1, 1<<20)
	if err := ep.Broadcast("u:1", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	clients[2].wantClosed(1001)
	clients[2].hangUp(false)
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
}

// A message counts until it is decoded, also if its connection ends meanwhile.
func TestIncomingWhileDecoding(t *testing.T) {
	g := newGated()
	defer close(g.out) // lest a failure hang
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Serializers: []wire.Serializer{g}}}})
	for _, rudely := range []bool{false, true} {
		c := dial(t, ep)
		c.say(`[null,"hb","phoenix","WAIT","` + strings.Repeat("x", 1<<20) + `"]`)
		within(t, "message that is being decoded", g.in)
		eventuallyHolds(t, ep, "the message is held", 1<<20, 1<<20+128<<10)
		c.hangUp(rudely)
		g.out <- true
		eventuallyHolds(t, ep, "nothing is left", 0, 0)
		eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
	}
}

// Messages must come, in silence or drop by drop.
func TestSlowMessage(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, phx.Config{IncomingTimeout: 200 * time.Millisecond, Mounts: []phx.Mount{{Path: "/socket"}}})
	message := cutMessage(1000, 0)
	for name, part := range map[string][]byte{
		"part of a message": message[:500],
		"part of a header":  message[:1],
		"open message":      frame.AppendMasked(nil, ws.OpText, mask, []byte("a")),
	} {
		t.Run(name, func(t *testing.T) {
			part = slices.Clone(part)
			if name == "open message" {
				part[0] = 0x01 // no FIN
			}
			c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0")
			c.write(part)
			c.wantClosed(1008)
		})
	}
	t.Run("drops", func(t *testing.T) {
		c := dial(t, ep)
		dropped := make(chan bool)
		go func() { // ends when the connection does
			defer close(dropped)
			for _, b := range message {
				if _, err := c.conn.Write([]byte{b}); err != nil {
					return
				}
				<-time.After(5 * time.Millisecond)
			}
		}()
		if f := c.next(); f.Op != ws.OpClose || string(f.Payload[2:]) != "message too slow" {
			t.Errorf("got %x %q, want Close", f.Op, f.Payload)
		}
		c.conn.Close()
		within(t, "end of the drops", dropped)
	})
	c := dial(t, ep)
	c.write(message)
	c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	if l := ep.Ledger(); len(l.Cuts) != 1 || l.Cuts[0].Cause != phx.SlowMessage || l.Cuts[0].Count != 4 {
		t.Errorf("Ledger() = %+v, want four clients that were too slow", l)
	}
}

// What has come of a message gives it time for the rest; each has a time of its
// own.
func TestIncomingRate(t *testing.T) {
	message := cutMessage(400_000, 0)
	begun := func(t *testing.T) (*client, *phx.Socket) {
		t.Helper()
		c, s := socketOf(t, phx.Mount{})
		c.write(message[:160<<10]) // 10 s more
		eventuallyHolds(t, s.Endpoint(), "part of a message is held", 160<<10-100, 1<<20)
		return c, s
	}
	t.Run("fast enough", func(t *testing.T) {
		c, s := begun(t)
		s.Expire(19 * time.Second)
		c.write(message[160<<10:])
		c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	})
	t.Run("too slow", func(t *testing.T) {
		c, s := begun(t)
		s.Expire(21 * time.Second)
		c.wantClosed(1008)
	})
	t.Run("the next message", func(t *testing.T) {
		c, s := begun(t)
		s.Expire(19 * time.Second)
		c.write(slices.Concat(message[160<<10:], message[:100]))
		c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
		eventuallyHolds(t, s.Endpoint(), "the next has begun", 80, 1000)
		s.Expire(9 * time.Second)
		c.write(message[100:])
		c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	})
}

// Behind a message that came in parts, the client may be as idle as ever.
func TestIdleAfterParts(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, phx.Config{IncomingTimeout: 200 * time.Millisecond, Mounts: []phx.Mount{{Path: "/socket", Idle: 400 * time.Millisecond}}})
	c := dial(t, ep)
	message := cutMessage(1000, 0)
	c.write(message[:500])
	eventuallyHolds(t, ep, "half of a message is held", 400, 1000)
	c.write(message[500:])
	c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.wantClosed(1002)
}

// Heads that are not whole, and what is sent behind a request that waits for its answer,
// are held for their clients, too.
func TestIncomingRequests(t *testing.T) {
	const part = 15_000
	head := "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\nX: " + strings.Repeat("x", part)
	session := func(t *testing.T, ep *phx.Endpoint) string {
		return "GET " + openSession(t, ep).target + " HTTP/1.1\r\nHost: a\r\n\r\n"
	}
	for _, tt := range []struct {
		name  string
		first func(*testing.T, *phx.Endpoint) string
	}{
		{"head", func(*testing.T, *phx.Endpoint) string { return "" }},
		{"behind a poll", session},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cfg := longPolling(time.Minute)
			cfg.IncomingMax = 5 * part / 2
			ep := startConfig(t, cfg)
			var clients []*client
			for i := range 2 {
				c := connect(t, ep)
				c.write([]byte(tt.first(t, ep) + head))
				eventuallyHolds(t, ep, "what has come is held", (i+1)*part, 4*part)
				clients = append(clients, c)
			}
			for range 3 {
				late := connect(t, ep)
				late.write([]byte(tt.first(t, ep) + head))
				if err := late.read(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
					t.Errorf("read %v and %q, want the end", err, late.data)
				}
			}
			for _, c := range clients {
				c.hangUp(true)
			}
			eventuallyHolds(t, ep, "nothing is left", 0, 0)
		})
	}
}
