package phx_test

import (
	"crypto/tls"
	"fmt"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
	config  phx.Config
	ep      *phx.Endpoint
	clients []*client
	payload map[string]string
	got     []byte // as many bytes as a broadcast is
}

func newRoom(t testing.TB, clients int, serializers ...wire.Serializer) *room {
	t.Helper()
	r := newEmptyRoom(serializers...)
	r.ep = startConfig(t, r.config)
	for range clients {
		c := dial(t, r.ep)
		c.join("room:1")
		r.clients = append(r.clients, c)
	}
	return r
}

// newSecureRoom is newRoom with TLS. Its clients read broadcasts without opening
// them, so that what they cost is the same.
func newSecureRoom(t testing.TB, clients int) *room {
	t.Helper()
	r := newEmptyRoom()
	var trust *tls.Config
	r.ep, trust = startTLS(t, r.config)
	for range clients {
		c := dialTLS(t, r.ep, trust)
		c.join("room:1")
		c.conn = c.conn.(*tls.Conn).NetConn()
		r.clients = append(r.clients, c)
	}
	r.got = append(r.got, make([]byte, 5+1+16)...) // header, type and tag (RFC 8446 §5.2)
	return r
}

func newEmptyRoom(serializers ...wire.Serializer) *room {
	r := &room{payload: map[string]string{"text": strings.Repeat("x", 100)}}
	r.config = phx.Config{Mounts: []phx.Mount{{
		Path:        "/socket",
		Serializers: serializers,
		Routes:      []phx.Route{{Pattern: "room:*", Type: &phx.ChannelType{}}},
	}}}
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
	secure := func(n int) float64 { return testing.AllocsPerRun(runs, newSecureRoom(t, n).broadcast) }
	if one, all := secure(1), secure(300); (all-one)/299 > 0.1 {
		t.Errorf("with TLS, a broadcast to 1: %v allocations, to 300: %v; want at most 0.1 for each more", one, all)
	}
	one := testing.AllocsPerRun(runs, newRoom(t, 1, &counter{Serializer: wire.V2{}}).broadcast)
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
	benchmarkFanOut(b, func(b *testing.B, n int) *room { return newRoom(b, n) })
}

// With TLS, what is sealed is each one's own.
func BenchmarkFanOutTLS(b *testing.B) {
	benchmarkFanOut(b, func(b *testing.B, n int) *room { return newSecureRoom(b, n) })
}

func benchmarkFanOut(b *testing.B, newRoom func(*testing.B, int) *room) {
	for _, n := range []int{1, 100, 1000} {
		b.Run(fmt.Sprintf("clients=%d", n), func(b *testing.B) {
			r := newRoom(b, n)
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				r.broadcast()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N*n), "cpu-ns/delivery")
			stillOpen(b, r.ep, n)
		})
	}
}

// processorTime returns the time that this process has used, in user mode and in the
// kernel.
func processorTime(t testing.TB) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
