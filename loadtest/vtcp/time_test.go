package vtcp_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// TestDeadlines sets, moves and takes back deadlines of all lengths: each that
// stands is told once, in the tick after which it has passed.
func TestDeadlines(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 2))
	const clients = 40
	b := newBench(t, vtcp.Config{}, clients)
	due := make(map[int]uint32) // in ticks
	set := func(i int, d time.Duration, now uint32) {
		b.SetDeadline(i, d)
		delete(due, i)
		if d > 0 {
			due[i] = now + min(uint32((d-1)/vtcp.Tick)+2, vtcp.Horizon)
		}
	}
	lengths := []time.Duration{time.Nanosecond, 100 * time.Millisecond, 30 * time.Second, 102 * time.Second, time.Hour, 40 * time.Hour, 0}
	for i := range clients {
		set(i, time.Duration(rng.Int64N(int64(40*time.Hour))), 0)
	}
	told := 0
	for now := uint32(0); len(due) > 0; {
		now++
		if rng.IntN(100) == 0 {
			now += uint32(rng.IntN(1000)) // the loop was held up
		}
		b.Advance(now)
		for e, ok := b.Next(); ok; e, ok = b.Next() {
			at, standing := due[e.Client]
			if !e.Expired || !standing || at > now {
				t.Fatalf("tick %d: told %+v, which is due at %d, %v", now, e, at, standing)
			}
			delete(due, e.Client)
			told++
		}
		for i, at := range due {
			if at <= now {
				t.Fatalf("tick %d: client %d was due at %d", now, i, at)
			}
		}
		if now < 20000 && rng.IntN(5) == 0 {
			set(rng.IntN(clients), lengths[rng.IntN(len(lengths))], now)
		}
	}
	if told < 300 {
		t.Errorf("%d deadlines were told, want more than 300", told)
	}
}
