package phx_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// joined opens a socket whose client has joined room:1 and from now on only
// reads. handled gets a value for every "tick".
func joined(t testing.TB) (ep *phx.Endpoint, ch *phx.Channel, handled chan struct{}) {
	t.Helper()
	return joinedConfig(t, phx.Config{})
}

func joinedConfig(t testing.TB, cfg phx.Config) (ep *phx.Endpoint, ch *phx.Channel, handled chan struct{}) {
	t.Helper()
	channels := make(chan *phx.Channel, 1)
	handled = make(chan struct{}, 1)
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { channels <- ch; return nil, nil },
		In: phx.Events{"tick": func(*phx.Channel, phx.Payload) (any, error) {
			handled <- struct{}{}
			return phx.OK, nil
		}},
	}
	cfg.OutboundMax = 1 << 30 // the client may be slower than a benchmark
	cfg.Mounts = []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}}
	ep = startConfig(t, cfg)
	c := dial(t, ep)
	c.join("room:1")
	go io.CopyBuffer(io.Discard, onlyReader{c.conn}, make([]byte, 1<<20)) // ends with the connection
	return ep, within(t, "Join", channels), handled
}

// stillOpen checks that the client has not been closed as a slow consumer:
// what was measured would be an error.
func stillOpen(t testing.TB, ep *phx.Endpoint, sockets int) {
	t.Helper()
	if n := ep.Stats().Sockets; n != sockets {
		t.Errorf("%d sockets at the end, want %d", n, sockets)
	}
}

// caughtUp waits until the kernel has taken what was sent, so that no queue is
// measured.
func caughtUp(ch *phx.Channel) {
	for ch.Socket().Waiting() > 0 {
		runtime.Gosched()
	}
}

// onlyReader hides what io.Copy would use instead of the buffer.
type onlyReader struct{ io.Reader }

// unmasked is a client's frame that may be fed again and again: its mask is
// zero, so decoding in place leaves it as it is.
func unmasked(text string) []byte {
	return frame.AppendMasked(nil, ws.OpText, [4]byte{}, []byte(text))
}

// The paths that run for every heartbeat and every delivery allocate nothing.
func TestAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	ep, ch, _ := joined(t)
	heartbeat := unmasked(`[null,"1","phoenix","heartbeat",{}]`)
	stale := unmasked(`["0","1","room:1","tick",{}]`)
	batch := &pubsub.Batch{Messages: []*pubsub.Message{{Topic: "room:1", Event: "e", Payload: []byte(`{}`)}}}
	ch.Deliver(batch) // encodes
	beat := pulse(dial(t, ep))
	for _, tt := range []struct {
		name string
		do   func()
	}{
		{"heartbeat", func() { ch.Socket().Feed(heartbeat); caughtUp(ch) }},
		{"heartbeat over TCP", beat},
		{"stale message", func() { ch.Socket().Feed(stale) }},
		{"delivery of a broadcast", func() { ch.Deliver(batch); caughtUp(ch) }},
	} {
		if n := testing.AllocsPerRun(1000, tt.do); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
	stillOpen(t, ep, 2)
}

// pulse returns what sends a heartbeat and reads the answer, over TCP, through
// the event loop.
func pulse(c *client) func() {
	heartbeat := unmasked(`[null,"1","phoenix","heartbeat",{}]`)
	answer := make([]byte, len(frame.Append(nil, ws.OpText, []byte(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`))))
	return func() {
		c.write(heartbeat)
		c.fill(answer)
	}
}

// fill reads as much as fits b, for clients that read in no other way.
func (c *client) fill(b []byte) {
	c.t.Helper()
	if _, err := io.ReadFull(c.conn, b); err != nil {
		c.t.Fatalf("read %d bytes: %v", len(b), err)
	}
}

// An idle client costs a socket and its channels. Fields that few of them need must not
// cost all of them memory: 64 and 112 are size classes of the allocator.
func TestSizes(t *testing.T) {
	if phx.SocketSize > 64 || phx.ChannelSize > 112 {
		t.Errorf("a Socket is %d bytes and a Channel %d, want at most 64 and 112", phx.SocketSize, phx.ChannelSize)
	}
}

// Neither telemetry nor the log cost anything for messages that they do not
// want, and hooks get what there is without anything being made for them.
func TestTelemetryAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	tick := unmasked(`["1","2","room:1","tick",{"n":1}]`)
	allocations := func(hooks *phx.Telemetry) float64 {
		ep, ch, handled := joinedConfig(t, phx.Config{Telemetry: hooks})
		defer stillOpen(t, ep, 1)
		return testing.AllocsPerRun(2000, func() { ch.Socket().Feed(tick); <-handled })
	}
	without := allocations(nil)
	if without > 4 {
		t.Errorf("%v allocations for a message, its job and its reply, want at most 4", without)
	}
	if with := allocations(&phx.Telemetry{HandledIn: func(phx.MessageEvent) {}, Pushed: func(phx.PushEvent) {}}); with > without {
		t.Errorf("%v allocations with hooks, %v without", with, without)
	}
}

// Bytes to answer, on the loop.
func BenchmarkHeartbeat(b *testing.B) {
	ep, ch, _ := joined(b)
	heartbeat := unmasked(`[null,"1","phoenix","heartbeat",{}]`)
	b.ReportAllocs()
	for b.Loop() {
		ch.Socket().Feed(heartbeat)
		caughtUp(ch)
	}
	stillOpen(b, ep, 1)
}

// A stopcock holds a channel's turn up, so that what is before the mailbox and
// what is behind it can be measured apart.
type stopcock struct {
	ch             *phx.Channel
	held, released chan struct{}
}

func newStopcock(b *testing.B) (*phx.Endpoint, *stopcock) {
	s := &stopcock{held: make(chan struct{}), released: make(chan struct{})}
	room := &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) { s.ch = ch; return nil, nil },
		In: phx.Events{
			"hold": func(*phx.Channel, phx.Payload) (any, error) {
				s.held <- struct{}{}
				<-s.released
				return nil, nil
			},
			"echo": func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil },
		},
	}
	ep := startConfig(b, phx.Config{
		OutboundMax: 1 << 30,
		Mounts:      []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
	})
	c := dial(b, ep)
	c.join("room:1")
	go io.CopyBuffer(io.Discard, onlyReader{c.conn}, make([]byte, 1<<20)) // ends with the connection
	return ep, s
}

// close returns when what is in the mailbox is done and what follows waits.
func (s *stopcock) close() {
	s.ch.Socket().Feed(unmasked(`["1","2","room:1","hold",{}]`))
	<-s.held
}

func (s *stopcock) open() { s.released <- struct{}{} }

// mailful is how many messages are put into a mailbox before it is emptied.
const mailful = 256

// Bytes to a job in a channel's mailbox, on the loop.
func BenchmarkRoute(b *testing.B) {
	ep, cock := newStopcock(b)
	echo := unmasked(`["1","2","room:1","echo",{"n":1}]`)
	cock.close()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n == mailful {
			b.StopTimer()
			cock.open()
			cock.close()
			n = 0
			b.StartTimer()
		}
		cock.ch.Socket().Feed(echo)
	}
	cock.open()
	stillOpen(b, ep, 1)
}

// A job in the mailbox to its callback and the reply: one of many that a turn
// finds.
func BenchmarkDispatch(b *testing.B) {
	ep, cock := newStopcock(b)
	echo := unmasked(`["1","2","room:1","echo",{"n":1}]`)
	cock.close()
	b.ReportAllocs()
	for n := 0; b.Loop(); n++ {
		if n%mailful != 0 {
			continue
		}
		b.StopTimer()
		for range mailful {
			cock.ch.Socket().Feed(echo)
		}
		b.StartTimer()
		cock.open()
		cock.close()
		caughtUp(cock.ch)
	}
	cock.open()
	stillOpen(b, ep, 1)
}

// A client message through the mailbox to its handler, and the reply; one at a
// time, so that a turn is asked for each. Fed is without the client's part.
func BenchmarkEcho(b *testing.B) {
	b.Run("fed", func(b *testing.B) {
		ep, ch, handled := joined(b)
		tick := unmasked(`["1","2","room:1","tick",{"n":1}]`)
		b.ReportAllocs()
		for b.Loop() {
			ch.Socket().Feed(tick)
			<-handled
			caughtUp(ch)
		}
		stillOpen(b, ep, 1)
	})
	b.Run("tcp", func(b *testing.B) {
		echo := func(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil }
		ep := start(b, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}})
		c := dial(b, ep)
		c.join("room:1")
		message := unmasked(`["1","2","room:1","echo",{"n":1}]`)
		reply := make([]byte, len(frame.Append(nil, ws.OpText, []byte(`["1","2","room:1","phx_reply",{"status":"ok","response":{"n":1}}]`))))
		b.ReportAllocs()
		for b.Loop() {
			c.write(message)
			c.fill(reply)
		}
	})
}

// What a broadcast costs for each subscriber once it is encoded: the system
// call.
func BenchmarkDeliver(b *testing.B) {
	ep, ch, _ := joined(b)
	m := &pubsub.Message{Topic: "room:1", Event: "e", Payload: fmt.Appendf(nil, `{"text":"%0100d"}`, 0)}
	batch := &pubsub.Batch{Messages: []*pubsub.Message{m}}
	b.ReportAllocs()
	for b.Loop() {
		ch.Deliver(batch)
		caughtUp(ch)
	}
	stillOpen(b, ep, 1)
}

// A client's upgrade, from its head to the answer, as the loop does it.
func BenchmarkUpgrade(b *testing.B) {
	for _, tt := range []struct {
		name  string
		mount phx.Mount
		head  []byte
	}{
		{"program", phx.Mount{Path: "/socket"}, request("/socket/websocket?vsn=2.0.0")},
		{"browser", phx.Mount{Path: "/socket", Origins: []string{"//example.test"}, Deflate: &phx.Deflate{}}, request("/socket/websocket?vsn=2.0.0",
			"Origin: https://example.test", "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
			"Pragma: no-cache", "Cache-Control: no-cache", "Accept-Encoding: gzip, deflate, br, zstd", "Accept-Language: en-GB,en;q=0.9",
			"Cookie: _roost_session=abcdefghijklmnopqrstuvwxyz0123456789", "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")},
		{"with Connect", phx.Mount{Path: "/socket", Connect: setID("users:1")}, request("/socket/websocket?vsn=2.0.0")},
	} {
		b.Run(tt.name, func(b *testing.B) {
			ep := startConfig(b, phx.Config{Mounts: []phx.Mount{tt.mount}})
			dial(b, ep) // whose connection it is
			upgrade := ep.Upgrade()
			b.ReportAllocs()
			for b.Loop() {
				if !upgrade(tt.head) {
					b.Fatal("refused")
				}
			}
		})
	}
}
