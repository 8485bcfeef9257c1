package pubsub_test

import (
	"math/rand/v2"
	"runtime"
	"slices"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// A touchy subscriber counts how often its handle is asked for, which happens whenever
// it moves.
type touchy struct {
	handle  pubsub.Subscription
	touched *int
}

func (s *touchy) Subscription() *pubsub.Subscription { *s.touched++; return &s.handle }
func (s *touchy) Deliver(*pubsub.Batch)              {}

// A subscriber that comes or goes moves at most three others, or 16 to another part while
// a crowd shrinks, and allocates at most a page, however many there are. It holds the
// lock of its shard or of the crowd meanwhile.
func TestSubscribersAreNotMoved(t *testing.T) {
	const crowd, mostBytes = 40_000, 16 << 10
	for _, tt := range []struct {
		name                string
		shards, mostTouched int
		walk                bool
	}{
		{"at rest", 1, 5, false},
		{"during a walk", 1, 5, true},
		{"in parts, at rest", 8, 5 + 2*16, false},
		{"in parts, during a walk", 8, 5 + 2*16, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var pool line
			touched, all := 0, make([]*touchy, crowd)
			ps := pubsub.New(pubsub.Config{Shards: tt.shards}, &pool)
			var before, after runtime.MemStats
			for i := range all {
				all[i] = &touchy{touched: &touched}
				runtime.ReadMemStats(&before)
				ps.Subscribe("a", all[i])
				runtime.ReadMemStats(&after)
				if n := after.TotalAlloc - before.TotalAlloc; n > mostBytes {
					t.Fatalf("Subscribe of number %d allocated %d bytes", i, n)
				}
			}
			if tt.walk {
				publish(t, ps, "a", "1")
				pool.step()
			}
			rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
			for i, sub := range all {
				touched = 0
				if ps.Unsubscribe(sub); touched > tt.mostTouched {
					t.Fatalf("Unsubscribe of number %d touched %d subscribers, want at most %d", i, touched, tt.mostTouched)
				}
			}
			if n := ps.Subscribers("a"); n != 0 {
				t.Errorf("%d subscribers after all have left", n)
			}
		})
	}
}

// A crowd's memory is freed when it has gone.
func TestRosterShrinks(t *testing.T) {
	ps := pubsub.New(pubsub.Config{Shards: 1}, new(line))
	all := crowd(ps, "a", 2000)
	if n := pubsub.Pages(ps, "a"); n != 7 {
		t.Errorf("%d pages for 2000 beside the first, want 7", n)
	}
	for _, in := range slices.Backward(all[1:]) {
		ps.Unsubscribe(in)
	}
	if n := pubsub.Pages(ps, "a"); n != 0 {
		t.Errorf("%d pages for one subscriber beside the first", n)
	}
}
