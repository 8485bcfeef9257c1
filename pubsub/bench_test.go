package pubsub_test

import (
	"fmt"
	"runtime"
	"testing"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/pubsub"
)

// audiences are numbers of subscribers: served by the publisher itself, in one turn, and
// in many.
var audiences = []int{1, 100, 10_000}

// A stack is a worker pool that runs turns when told to, and allocates nothing.
type stack []lane.Turn

func (s *stack) Go(t lane.Turn) { *s = append(*s, t) }

func (*stack) Hold(int64) {}

func (s *stack) run() {
	for n := len(*s); n > 0; n = len(*s) {
		t := (*s)[n-1]
		*s = (*s)[:n-1]
		t.Turn()
	}
}

// A sink takes broadcasts as a connection does: the bytes that all of them share.
type sink struct {
	handle pubsub.Subscription
	bytes  int
}

func (s *sink) Subscription() *pubsub.Subscription { return &s.handle }

func (s *sink) Deliver(b *pubsub.Batch) { s.bytes += len(b.Encoded(codec, encode)) }

// codec is the key of the encoding.
var codec = &struct{ version string }{"2.0.0"}

func encode(m *pubsub.Message) []byte { return append([]byte(m.Event), m.Payload...) }

// broadcaster returns a function that publishes one message of 128 bytes to n sinks, and
// waits until all have it.
func broadcaster(t testing.TB, n int) (publish func()) {
	t.Helper()
	var pool stack
	ps := pubsub.New(pubsub.Config{Shards: 2}, &pool)
	for range n {
		ps.Subscribe("a", new(sink))
	}
	payload := make([]byte, 128)
	return func() {
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "e", Payload: payload}); err != nil {
			t.Fatal(err)
		}
		pool.run()
	}
}

// A broadcast allocates for itself and for each chunk of subscribers, never for each
// subscriber.
func TestFanOutAllocations(t *testing.T) {
	few, many := 1000, 10_000
	base := testing.AllocsPerRun(100, broadcaster(t, few))
	if base > 32 {
		t.Errorf("%v allocations for a broadcast to %d, want at most 32", base, few)
	}
	full := testing.AllocsPerRun(100, broadcaster(t, many))
	if each := (full - base) / float64(many-few); each > 0.02 {
		t.Errorf("%v allocations to %d subscribers, %v to %d: %v for each more, want at most 0.02", full, many, base, few, each)
	}
}

// Each encoding is made once, however many subscribers there are.
func TestEncodedOnceAllocations(t *testing.T) {
	m := &pubsub.Message{Topic: "a", Event: "e", Payload: make([]byte, 128)}
	b := &pubsub.Batch{Messages: []*pubsub.Message{m, m}}
	for name, encoded := range map[string]func() []byte{
		"message": func() []byte { return m.Encoded(codec, encode) },
		"batch":   func() []byte { return b.Encoded(codec, encode) },
	} {
		encoded()
		if n := testing.AllocsPerRun(100, func() { encoded() }); n != 0 {
			t.Errorf("%s, encoded already: %v allocations, want 0", name, n)
		}
	}
}

// A broadcast from Publish to the Deliver of every subscriber, without sockets.
func BenchmarkFanOut(b *testing.B) {
	for _, n := range audiences {
		b.Run(fmt.Sprintf("subscribers=%d", n), func(b *testing.B) {
			publish := broadcaster(b, n)
			b.ReportAllocs()
			for b.Loop() {
				publish()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/delivery")
		})
	}
}

// Deliveries of one message that all shards share, each shard on a processor of its own:
// the most common batch has one message.
func BenchmarkEncoded(b *testing.B) {
	m := &pubsub.Message{Topic: "a", Event: "e", Payload: make([]byte, 128)}
	b.RunParallel(func(pb *testing.PB) {
		batch := &pubsub.Batch{Messages: []*pubsub.Message{m}}
		for pb.Next() {
			batch.Encoded(codec, encode)
		}
	})
}

// Each client has a subscription for each of its topics, and most topics are small. 128
// is a size class of the allocator.
func TestSizes(t *testing.T) {
	if pubsub.SubscriptionSize > 16 || pubsub.TopicSize > 128 {
		t.Errorf("a Subscription is %d bytes and a topic %d, want at most 16 and 128", pubsub.SubscriptionSize, pubsub.TopicSize)
	}
}

// The memory of a room, without its members.
func BenchmarkRoomMemory(b *testing.B) {
	for _, members := range []int{1, 10} {
		b.Run(fmt.Sprintf("members=%d", members), func(b *testing.B) {
			const rooms = 20_000
			for b.Loop() {
				all := make([]sink, rooms*members)
				names := make([]string, rooms)
				for i := range names {
					names[i] = fmt.Sprint("room:", i)
				}
				var before, after runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&before)
				ps := pubsub.New(pubsub.Config{Shards: 2}, new(stack))
				for i := range all {
					ps.Subscribe(names[i/members], &all[i])
				}
				runtime.GC()
				runtime.ReadMemStats(&after)
				b.ReportMetric(float64(after.HeapAlloc-before.HeapAlloc)/rooms, "B/room")
				runtime.KeepAlive(ps)
			}
		})
	}
}
