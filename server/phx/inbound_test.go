package phx_test

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// socketOf connects a client and returns the server's side of it, too.
func socketOf(t *testing.T, m phx.Mount) (*client, *phx.Socket) {
	t.Helper()
	got := make(chan *phx.Socket, 1)
	m.Path = "/socket"
	m.Connect = func(s *phx.Socket, _ phx.Params, _ *http.Request) error { got <- s; return nil }
	c := dial(t, startConfig(t, phx.Config{Mounts: []phx.Mount{m}}))
	return c, within(t, "socket", got)
}

// However small frames are, only so many are taken in a pass.
func TestPassIsBounded(t *testing.T) {
	for name, one := range map[string][]byte{
		"pings":           frame.AppendMasked(nil, ws.OpPing, mask, nil),
		"empty fragments": frame.AppendMasked(nil, ws.OpContinuation, mask, nil),
		"heartbeats":      frame.AppendMasked(nil, ws.OpText, mask, []byte(`[null,"1","phoenix","heartbeat",{}]`)),
	} {
		t.Run(name, func(t *testing.T) {
			c, s := socketOf(t, phx.Mount{})
			if one[0]&0x0f == 0 {
				one[0] = 0 // no FIN
				s.Pass(append([]byte{0x01}, one[1:]...))
			}
			data := bytes.Repeat(one, 200)
			for _, want := range []int{136, 72, 8, 0} {
				if data = s.Pass(data); len(data) != want*len(one) {
					t.Fatalf("%d bytes are left, want %d frames of %d", len(data), want, len(one))
				}
			}
			if one[0] == 0 {
				return
			}
			for range 200 {
				c.next()
			}
		})
	}
}

// gated is a serializer of version 2 that waits before it decodes messages that
// are marked so.
type gated struct {
	wire.V2
	in, out chan bool
}

func (g gated) Decode(data []byte, binary bool) (wire.Message, error) {
	if bytes.Contains(data, []byte("WAIT")) {
		g.in <- true
		<-g.out
	}
	if bytes.Contains(data, []byte("PANIC")) {
		panic("as told")
	}
	return wire.V2{}.Decode(data, binary)
}

func newGated() gated { return gated{in: make(chan bool, 1), out: make(chan bool)} }

// echoing answers "say" with the number of bytes of the payload.
var echoing = []phx.Route{{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{
	"say": func(_ *phx.Channel, p phx.Payload) (any, error) { return len(p.JSON()), nil },
}}}}

// saying is a message whose payload has n bytes, mark among them, and the answer.
func saying(ref int, mark string, n int) (text, answer string) {
	payload := `"` + mark + strings.Repeat("x", n-2-len(mark)) + `"`
	return fmt.Sprintf(`["1","%d","a","say",%s]`, ref, payload),
		fmt.Sprintf(`["1","%d","a","phx_reply",{"status":"ok","response":%d}]`, ref, n)
}

// While a large message is decoded, however it comes, the loop serves others. What
// its client sends behind it waits, and keeps its order.
func TestLargeMessageHoldsNobody(t *testing.T) {
	large, answer := saying(2, "WAIT", 100_000)
	fragmented := slices.Concat(frame.AppendMasked(nil, ws.OpText, mask, []byte(large[:70_000])),
		frame.AppendMasked(nil, ws.OpContinuation, mask, []byte(large[70_000:])))
	fragmented[0] &^= 0x80
	for _, tt := range []struct {
		name string
		send func(c *client)
	}{
		{"one frame", func(c *client) { c.say(large) }},
		{"fragments", func(c *client) { c.write(fragmented) }},
		{"compressed", func(c *client) { c.sendDeflated([]byte(large)) }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := newGated()
			defer close(g.out) // lest a failure hang
			ep := startConfig(t, phx.Config{Loops: 1, Mounts: []phx.Mount{{
				Path: "/socket", Routes: echoing, Serializers: []wire.Serializer{g}, Deflate: &phx.Deflate{MaxInflateRatio: 1032},
			}}})
			other := dial(t, ep)
			c := dialAt(t, ep, "/socket/websocket?vsn=2.0.0", deflateOffer)
			c.join("a")
			tt.send(c)
			small, answer2 := saying(3, "", 10)
			larger, answer3 := saying(4, "", 300_000)
			c.say(small, larger)
			within(t, "message that is being decoded", g.in)
			other.heartbeat()
			g.out <- true
			c.want(answer, answer2, answer3)
			c.heartbeat()
		})
	}
}

// Heartbeats, too, may be large.
func TestLargeHeartbeat(t *testing.T) {
	g := newGated()
	defer close(g.out) // lest a failure hang
	ep := startConfig(t, phx.Config{Loops: 1, Mounts: []phx.Mount{{Path: "/socket", Serializers: []wire.Serializer{g}}}})
	other, c := dial(t, ep), dial(t, ep)
	c.say(`[null,"1","phoenix","heartbeat","WAIT` + strings.Repeat("x", 1<<20) + `"]`)
	within(t, "message that is being decoded", g.in)
	other.heartbeat()
	g.out <- true
	c.want(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// A client may leave right behind a large message, which is handled before the
// channel ends.
func TestLargeMessageThenEnd(t *testing.T) {
	got, left := make(chan int, 1), make(chan phx.Reason, 1)
	g := newGated()
	defer close(g.out) // lest a failure hang
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Serializers: []wire.Serializer{g}, Routes: []phx.Route{{
		Pattern: "*", Type: &phx.ChannelType{
			In:        phx.Events{"say": func(_ *phx.Channel, p phx.Payload) (any, error) { got <- len(p.JSON()); return nil, nil }},
			Terminate: func(_ *phx.Channel, why phx.Reason) { left <- why },
		},
	}}}}})
	c := dial(t, ep)
	c.join("a")
	text, _ := saying(2, "WAIT", 1<<20)
	c.say(text)
	within(t, "message that is being decoded", g.in)
	c.hangUp(false)
	g.out <- true
	within(t, "end of the channel", left)
	select {
	case n := <-got:
		if n != 1<<20 {
			t.Errorf("got %d bytes", n)
		}
	default:
		t.Error("the message was dropped")
	}
}

// Nothing that is wrong with a large message, or with what decodes it, goes
// beyond its connection.
func TestLargeMessageRefused(t *testing.T) {
	g := newGated()
	defer close(g.out) // lest a failure hang
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Serializers: []wire.Serializer{g}, Deflate: &phx.Deflate{MaxInflateRatio: 1032}}}})
	const target = "/socket/websocket?vsn=2.0.0"
	other := dial(t, ep)
	for _, tt := range []struct {
		name string
		send func(c *client)
		code ws.StatusCode
	}{
		{"not UTF-8", func(c *client) {
			c.sendDeflated(bytes.Repeat([]byte("\xff0123456789abcdefghijklmnopqrstuvwxyz"), 5000))
		}, 1007},
		{"inflates too far", func(c *client) { c.sendDeflated(bytes.Repeat([]byte(" "), 9<<20)) }, 1009},
		{"malformed", func(c *client) { c.say(strings.Repeat("[", 100_000)) }, 1011},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialAt(t, ep, target, deflateOffer)
			tt.send(c)
			c.wantClosed(tt.code)
		})
	}
	t.Run("panic", func(t *testing.T) {
		c := dialAt(t, ep, target, deflateOffer)
		c.say("PANIC" + strings.Repeat("x", 100_000))
		if err := c.read(); err == nil {
			t.Errorf("read %q, want the end", c.data)
		}
	})
	other.heartbeat()
	eventually(t, "only one socket is left", func() bool { return ep.Stats().Connections == 1 })
}

// Who is told to go while a message is being decoded goes, and nothing comes of
// the message.
func TestClosedWhileDecoding(t *testing.T) {
	g := newGated()
	defer close(g.out) // lest a failure hang
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Connect: setID("u:1"), Serializers: []wire.Serializer{g}, Routes: echoing}}})
	c := dial(t, ep)
	c.join("a")
	text, _ := saying(2, "WAIT", 1<<20)
	c.say(text)
	within(t, "message that is being decoded", g.in)
	if err := ep.Broadcast("u:1", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	c.wantClosed(1001)
	c.hangUp(false)
	g.out <- true
	eventually(t, "the socket is gone", func() bool { return ep.Stats().Connections == 0 })
}
