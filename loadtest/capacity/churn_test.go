package capacity

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// A room that hashes into the same bucket as another one, and two that do not.
func roomsOfBuckets(t *testing.T) (a, beside, other int) {
	t.Helper()
	a = 1
	for beside = a + 1; bucketOf(beside) != bucketOf(a); beside++ {
	}
	for other = a + 1; bucketOf(other) == bucketOf(a); other++ {
	}
	return a, beside, other
}

// A node listens to a bucket from the first topic in it until half a minute after the
// last, and a topic counts from its first member to its last.
func TestListener(t *testing.T) {
	t.Parallel()
	a, beside, other := roomsOfBuckets(t)
	l := &listener{topics: make(map[int]int32)}
	check := func(when string, first, gains, losses float64) {
		t.Helper()
		if l.first != first || l.gains != gains || l.losses != losses {
			t.Errorf("%s: %v topics came, %v buckets gained, %v lost, want %v, %v, %v", when, l.first, l.gains, l.losses, first, gains, losses)
		}
	}
	l.join(a, 1)
	l.join(a, 2)
	check("two members of a room", 1, 1, 0)
	l.join(beside, 3)
	check("a room in the same bucket", 2, 1, 0)
	l.join(other, 4)
	check("a room in another", 3, 2, 0)
	l.leave(a, 5)
	l.forget(100)
	check("one member is left", 3, 2, 0)
	l.leave(a, 101)
	l.forget(200)
	check("the other room of the bucket is left", 3, 2, 0)
	l.leave(beside, 201)
	l.forget(230.9)
	check("the bucket is empty for less than half a minute", 3, 2, 0)
	l.join(beside, 230.95)
	l.forget(300)
	check("somebody came back in time", 4, 2, 0)
	l.leave(beside, 300)
	l.forget(330)
	l.forget(331)
	check("it is empty for half a minute", 4, 2, 1)
	l.join(a, 332)
	check("a room comes into it again", 5, 3, 1)
}

// What a node begins to listen to within 20 ms it says in one message.
func TestHellosAreGathered(t *testing.T) {
	t.Parallel()
	l := &listener{topics: make(map[int]int32)}
	for _, tt := range []struct {
		at   float64
		want float64 // hellos so far
	}{{1, 1}, {1.01, 1}, {1.019, 1}, {1.02, 2}, {1.039, 2}, {1.041, 3}} {
		room := len(l.topics)
		for l.on[bucketOf(room)] || l.topics[room] > 0 {
			room++
		}
		if l.join(room, tt.at); l.hellos != tt.want {
			t.Errorf("a bucket gained at %v s: %v hellos so far, want %v", tt.at, l.hellos, tt.want)
		}
	}
}

// Rooms are spread over all buckets.
func TestBucketOf(t *testing.T) {
	t.Parallel()
	var hits [buckets]int
	for room := range 100 * buckets {
		b := bucketOf(room)
		if b < 0 || b >= buckets {
			t.Fatalf("room %d is in bucket %d of %d", room, b, buckets)
		}
		hits[b]++
	}
	for b, n := range hits {
		if n < 50 || n > 200 {
			t.Errorf("bucket %d has %d of %d rooms, want about 100", b, n, 100*buckets)
		}
	}
}

// As many come as the mean stay says. What they make nodes say goes to each other node
// and is answered: 2 n (n-1) messages for a gain.
func TestRatesOfChurn(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 2, 5} {
		c := Config{Workload: Workload{Topics: 2, Stay: 100 * time.Second}}.WithDefaults()
		p := Plan{Nodes: nodes, Node: Demand{Clients: 500}, NATS: NATS{Buckets: 8}}
		got := c.churn(rand.New(rand.NewPCG(1, uint64(nodes))), p, []band{{500, 2}})
		if got.Joins != 5 || got.Seconds != 120 {
			t.Errorf("%d nodes: %v joins a second in %v s, want 500 clients in 100 s, for 120 s", nodes, got.Joins, got.Seconds)
		}
		// 10 times a second a member goes to one of 500 rooms, which has none of the 999 others
		// in e^-2 of the cases. Each room has a bucket of its own, which is lost if it was empty
		// for 30 s; after 50 s on average somebody comes.
		topics := 10 * math.Exp(-2)
		gains := topics * math.Exp(-30.5/50)
		if math.Abs(got.Topics-topics) > 0.4 || math.Abs(got.Gains-gains) > 0.3 || math.Abs(got.Losses-gains) > 0.3 {
			t.Errorf("%d nodes: %+v, want about %.2f topics and %.2f gains and losses a second", nodes, got, topics, gains)
		}
		each := got.Messages / float64(2*nodes*(nodes-1))
		if nodes == 1 && got.Messages != 0 || nodes > 1 && (each > got.Gains || each < 0.9*got.Gains) {
			t.Errorf("%d nodes: %v messages for %v gains a second, want one each, or one for several", nodes, got.Messages, got.Gains)
		}
		if want := got.Messages * (110 + 8*8); got.Bytes != want {
			t.Errorf("%d nodes: %v bytes in %v messages, want tables of 8 buckets, %v", nodes, got.Bytes, got.Messages, want)
		}
	}
}
