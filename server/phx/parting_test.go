package phx_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// faults are what ends a connection, in Autobahn's words where it has the case.
var faults = []struct {
	name string
	data []byte
	code ws.StatusCode
}{
	{"3.2: RSV2", masked(ws.OpText|0x20, "again"), 1002},
	{"4.1.3: opcode 5", masked(5, ""), 1002},
	{"4.1.4: opcode 6", masked(6, "payload"), 1002},
	{"5.15: a stray continuation", masked(ws.OpContinuation, "fragment3"), 1002},
	{"an unmasked frame", []byte{0x81, 0}, 1002},
	{"no UTF-8", masked(ws.OpText, "\xff"), 1007},
	{"no UTF-8 in a large message", masked(ws.OpText, strings.Repeat("x", 70<<10)+"\xff"), 1007},
	{"a frame too large", []byte{0x82, 0xff, 0x7f, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4}, 1009},
	{"a Close frame", masked(ws.OpClose, "\x03\xe8"), 1000},
}

// behind is a segment with what ends a connection behind other frames, and more
// behind that.
func behind(before []byte, fault []byte) []byte {
	return bytes.Join([][]byte{before, fault, masked(ws.OpPing, ""), masked(ws.OpText, "late")}, nil)
}

// What comes before a fault in the same segment is answered before the Close
// frame, by a raw socket.
func TestRawAnswersBeforeClose(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/raw", Raw: &phx.RawType{In: echoRaw}}}})
	first := masked(ws.OpText, "fragment1")
	first[0] &^= 0x80 // not the last
	before := bytes.Join([][]byte{masked(ws.OpText, "one"), first, masked(ws.OpContinuation, "fragment2"), masked(ws.OpPing, "p")}, nil)
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			c := dialAt(t, ep, "/raw/websocket")
			c.write(behind(before, fault.data))
			var texts []string
			for len(texts) < 3 { // the loop answers pings, whatever callbacks do
				f := c.next()
				if f.Op == ws.OpPong {
					texts = append(texts, "pong")
					continue
				}
				texts = append(texts, string(f.Payload))
			}
			if got := strings.Replace(strings.Join(texts, " "), "pong", "", 1); strings.Join(strings.Fields(got), " ") != "one fragment1fragment2" {
				t.Fatalf("got %q, want both messages", texts)
			}
			c.wantClosed(fault.code)
		})
	}
}

// So it is with channels: with a join, too, and what waits for it; with a leave;
// and with callbacks of several channels.
func TestChannelsAnswerBeforeClose(t *testing.T) {
	echo := func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil }
	ended := make(chan phx.Reason, 2)
	ep := start(t, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{
		In:        phx.Events{"echo": echo},
		Terminate: func(_ *phx.Channel, why phx.Reason) { ended <- why },
	}}, phx.Route{Pattern: "no", Type: &phx.ChannelType{
		Join: func(*phx.Channel, phx.Payload) (any, error) { return nil, &phx.ReplyError{Response: map[string]any{}} },
	}})
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			c := dial(t, ep)
			c.write(behind(bytes.Join([][]byte{
				masked(ws.OpText, `["1","1","room:1","phx_join",{}]`),
				masked(ws.OpText, `["1","2","room:1","echo",{"n":2}]`),
				masked(ws.OpText, `["1","3","room:1","echo",{"n":3}]`),
			}, nil), fault.data))
			c.want(`["1","1","room:1","phx_reply",{"status":"ok","response":{}}]`,
				`["1","2","room:1","phx_reply",{"status":"ok","response":{"n":2}}]`,
				`["1","3","room:1","phx_reply",{"status":"ok","response":{"n":3}}]`)
			c.wantClosed(fault.code)
			c.hangUp(false)
			if why := within(t, "end of the channel", ended); why != phx.Closed {
				t.Errorf("the channel ended with %q, want %q", why, phx.Closed)
			}

			c = dial(t, ep)
			c.join("room:1")
			c.join("room:2")
			c.write(behind(bytes.Join([][]byte{
				masked(ws.OpText, `["1","4","room:1","echo",{}]`),
				masked(ws.OpText, `["1","5","room:1","phx_leave",{}]`),
				masked(ws.OpText, `["1","6","no","phx_join",{}]`),
				masked(ws.OpText, `["1","7","room:2","echo",{}]`),
			}, nil), fault.data))
			var got string
			for range 5 {
				got += c.message()
			}
			for _, want := range []string{`["1","4"`, `["1","5"`, `["1","1","room:1","phx_close"`, `["1","6"`, `["1","7"`} {
				if !strings.Contains(got, want) {
					t.Errorf("got %s, want %s in it", got, want)
				}
			}
			c.wantClosed(fault.code)
			c.hangUp(false)
			why := map[phx.Reason]int{} // in either order: each channel has its own turn
			for range 2 {
				why[within(t, "end of a channel", ended)]++
			}
			if why[phx.Left] != 1 || why[phx.Closed] != 1 {
				t.Errorf("the channels ended with %v, want one %q and one %q", why, phx.Left, phx.Closed)
			}
		})
	}
}

// A callback that does not return holds the end up for a moment only, and what the
// client sends meanwhile counts for nothing.
func TestCloseDoesNotWaitForever(t *testing.T) {
	g := newGate()
	wait := func(*phx.Channel, phx.Payload) (any, error) { g.pass(); return phx.OK, nil }
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{In: phx.Events{"wait": wait}}}}},
		{Path: "/raw", Raw: &phx.RawType{In: func(*phx.RawSocket, []byte, bool) error { g.pass(); return nil }}},
	}})
	t.Cleanup(func() { close(g.open) }) // before the endpoint ends, after all below
	for _, fault := range faults {
		t.Run(fault.name, func(t *testing.T) {
			t.Parallel()
			c := dial(t, ep)
			c.join("a")
			c.write(behind(masked(ws.OpText, `["1","2","a","wait",{}]`), fault.data))
			within(t, "callback", g.entered)
			raw := dialAt(t, ep, "/raw/websocket")
			raw.write(behind(masked(ws.OpText, "wait"), fault.data))
			within(t, "callback", g.entered)
			c.say(`[null,"9","phoenix","heartbeat",{}]`)
			c.wantClosed(fault.code)
			raw.wantClosed(fault.code)
		})
	}
}
