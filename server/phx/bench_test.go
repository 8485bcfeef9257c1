package phx_test

import (
	"fmt"
	"io"
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
func stillOpen(t testing.TB, ep *phx.Endpoint) {
	t.Helper()
	if n := ep.Stats().Sockets; n != 1 {
		t.Errorf("%d sockets at the end, want 1", n)
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
	ch.Deliver(batch, 0) // encodes
	for _, tt := range []struct {
		name string
		do   func()
	}{
		{"heartbeat", func() { ch.Socket().Feed(heartbeat) }},
		{"stale message", func() { ch.Socket().Feed(stale) }},
		{"delivery of a broadcast", func() { ch.Deliver(batch, 0) }},
	} {
		if n := testing.AllocsPerRun(1000, tt.do); n != 0 {
			t.Errorf("%s: %v allocations, want 0", tt.name, n)
		}
	}
	stillOpen(t, ep)
}

// An idle client costs a socket and its channels. What few of them need must not
// be paid for by all: 128 is a size class of the allocator's.
func TestSizes(t *testing.T) {
	if phx.SocketSize > 128 || phx.ChannelSize > 128 {
		t.Errorf("a Socket is %d bytes and a Channel %d, want at most 128 each", phx.SocketSize, phx.ChannelSize)
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
		defer stillOpen(t, ep)
		return testing.AllocsPerRun(2000, func() { ch.Socket().Feed(tick); <-handled })
	}
	without := allocations(nil)
	if without > 8 {
		t.Errorf("%v allocations for a message, its job and its reply, want at most 8", without)
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
	}
	stillOpen(b, ep)
}

// A client message through the mailbox to its handler, and the reply; one at a
// time, so that a turn is asked for each.
func BenchmarkReply(b *testing.B) {
	ep, ch, handled := joined(b)
	tick := unmasked(`["1","2","room:1","tick",{"n":1}]`)
	b.ReportAllocs()
	for b.Loop() {
		ch.Socket().Feed(tick)
		<-handled
	}
	stillOpen(b, ep)
}

// What a broadcast costs for each subscriber once it is encoded: the system
// call, or a place in the outbound queue.
func BenchmarkDeliver(b *testing.B) {
	ep, ch, _ := joined(b)
	m := &pubsub.Message{Topic: "room:1", Event: "e", Payload: fmt.Appendf(nil, `{"text":"%0100d"}`, 0)}
	batch := &pubsub.Batch{Messages: []*pubsub.Message{m}}
	b.ReportAllocs()
	for b.Loop() {
		ch.Deliver(batch, 0)
	}
	stillOpen(b, ep)
}

// Encoding and publishing to a topic with one subscriber.
func BenchmarkBroadcast(b *testing.B) {
	ep, _, _ := joined(b)
	payload := map[string]string{"body": "hello"}
	b.ReportAllocs()
	for b.Loop() {
		if err := ep.Broadcast("room:1", "e", payload); err != nil {
			b.Fatal(err)
		}
	}
	stillOpen(b, ep)
}
