package phx_test

import (
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/wire"
)

// A counter is a serializer that counts the broadcasts it encodes.
type counter struct {
	wire.Serializer
	broadcasts atomic.Int64
}

func (c *counter) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) ([]byte, bool, error) {
	c.broadcasts.Add(1)
	return c.Serializer.AppendBroadcast(dst, topic, event, p)
}

// A room is clients that have all joined one topic and only listen.
type room struct {
	ep      *phx.Endpoint
	clients []*client
	payload map[string]string
	got     []byte // as many bytes as a broadcast is
}

func newRoom(t testing.TB, clients int, serializers ...wire.Serializer) *room {
	t.Helper()
	r := &room{payload: map[string]string{"text": strings.Repeat("x", 100)}}
	r.ep = startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path:        "/socket",
		Serializers: serializers,
		Routes:      []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}},
	}}})
	for range clients {
		c := dial(t, r.ep)
		c.join("room:1")
		r.clients = append(r.clients, c)
	}
	text := fmt.Sprintf(`[null,null,"room:1","e",{"text":%q}]`, r.payload["text"])
	r.got = make([]byte, len(frame.Append(nil, ws.OpText, []byte(text))))
	return r
}

// broadcast returns when every client has got it.
func (r *room) broadcast() {
	if err := r.ep.LocalBroadcast("room:1", "e", r.payload); err != nil {
		r.clients[0].t.Fatal(err)
	}
	for _, c := range r.clients {
		c.fill(r.got)
	}
}

// However many get a broadcast, it is encoded once, and a delivery allocates
// nothing: whether the publisher serves them all or fan-out turns do.
func TestFanOutAllocations(t *testing.T) {
	if raceDetector {
		t.Skip("the race detector allocates")
	}
	const runs = 100
	one := testing.AllocsPerRun(runs, newRoom(t, 1).broadcast)
	for _, n := range []int{50, 300} {
		v2 := &counter{Serializer: wire.V2{}}
		all := testing.AllocsPerRun(runs, newRoom(t, n, v2).broadcast)
		if each := (all - one) / float64(n-1); each > 0.1 {
			t.Errorf("a broadcast to 1: %v allocations, to %d: %v; want at most 0.1 for each more", one, n, all)
		}
		if got := v2.broadcasts.Load(); got != runs+1 { // AllocsPerRun warms up once
			t.Errorf("%d broadcasts to %d were encoded %d times, want once each", runs+1, n, got)
		}
	}
}

// A broadcast from its payload to the last of its receivers over TCP, what they
// read included.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			r := newRoom(b, n)
			b.ReportAllocs()
			for b.Loop() {
				r.broadcast()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			stillOpen(b, r.ep, n)
		})
	}
}
