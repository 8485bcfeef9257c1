package pubsub_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// Each message counts once while it waits in any shard, and not at all afterwards,
// whoever comes and goes meanwhile.
func TestPendingModel(t *testing.T) {
	const max = 200_000
	for seed := range uint64(8) {
		t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, seed))
			var pool line
			ps := pubsub.New(pubsub.Config{Shards: 3, MaxPending: max}, &pool)
			topics, members := []string{"a", "b", "nobody"}, []*inbox{}
			members = append(members, crowd(ps, "a", 5000)...) // several turns a walk
			members = append(members, crowd(ps, "b", 500)...)
			var refused int
			for range 500 {
				switch rnd.IntN(6) {
				case 0:
					members = append(members, crowd(ps, topics[rnd.IntN(2)], rnd.IntN(20))...)
				case 1:
					for range min(rnd.IntN(100), len(members)) { // some shards run out of them
						i := rnd.IntN(len(members))
						ps.Unsubscribe(members[i])
						members[i] = members[len(members)-1]
						members = members[:len(members)-1]
					}
				case 2, 3, 4:
					topic, pending := topics[rnd.IntN(3)], pubsub.Pending(ps)
					err := ps.Publish(&pubsub.Message{Topic: topic, Event: "e", Payload: make([]byte, rnd.IntN(30_000))})
					over := errors.Is(err, pubsub.ErrOverloaded)
					if over != (pending > max) && !(over && topic != "nobody" && pending > max/2) {
						t.Fatalf("Publish = %v to %s with %d pending", err, topic, pending)
					}
					if over {
						refused++
					}
				default:
					pool.step()
				}
				if got, want := pubsub.Pending(ps), pubsub.Held(ps); got != want {
					t.Fatalf("%d bytes are pending, want %d", got, want)
				}
			}
			if refused == 0 {
				t.Error("the budget was never used up")
			}
			for _, in := range members {
				ps.Unsubscribe(in)
			}
			pool.run()
			if got := pubsub.Pending(ps); got != 0 {
				t.Errorf("%d bytes are pending when all is over", got)
			}
		})
	}
}

// A crowd that is slow to serve leaves room for other topics: to the n-th as much as is
// left by those before it.
func TestOneTopicDoesNotTakeTheBudget(t *testing.T) {
	const max, size = 1 << 20, 1000
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 2, MaxPending: max}, &pool)
	for n := range 4 {
		topic := fmt.Sprint("crowd ", n)
		crowd(ps, topic, 1000)
		sent := 0
		for ps.Publish(&pubsub.Message{Topic: topic, Event: "e", Payload: make([]byte, size)}) == nil {
			sent += size
		}
		if want := max / (2 << n); sent < want*3/4 || sent > want { // 1/2, then half of what is left each time
			t.Errorf("topic %d took %d bytes, want about %d", n, sent, want)
		}
	}
	all := crowd(ps, "small", 1)
	publish(t, ps, "small", "1")
	want(t, "the subscriber of another topic", all[0], "1")
	pool.run()
	publish(t, ps, "crowd 0", "again")
}

// The budget does not depend on how many shards a message waits in.
func TestMessageCountsOnce(t *testing.T) {
	for _, shards := range []int{1, 8} {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: shards}, &pool)
		crowd(ps, "a", 3000) // several turns in one shard
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "ev", Payload: make([]byte, 1000)}); err != nil {
			t.Fatal(err)
		}
		if got := pubsub.Pending(ps); got != 1000+1+2+256 {
			t.Errorf("with %d shards %d bytes are pending, want 1259", shards, got)
		}
		pool.step()
		if shards == 1 && pubsub.Pending(ps) != 1259 {
			t.Error("it does not count while it is on its walk")
		}
		pool.run()
		if got := pubsub.Pending(ps); got != 0 {
			t.Errorf("with %d shards %d bytes are pending when all have it", shards, got)
		}
	}
}

// Long messages travel alone: joining them would copy them once more.
func TestLongMessagesMakeNoBatch(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 1}, &pool)
	var sizes []int
	for range 200 {
		ps.Subscribe("a", &reader{deliver: func(b *pubsub.Batch) { sizes = append(sizes, len(b.Messages)) }})
	}
	for _, size := range []int{100, 100, 300_000, 200_000, 100_000, 100} {
		if err := ps.Publish(&pubsub.Message{Topic: "a", Event: "e", Payload: make([]byte, size)}); err != nil {
			t.Fatal(err)
		}
	}
	pool.run()
	if got, want := sizes[:1], []int{2}; len(sizes) != 200*4 || !slices.Equal(got, want) {
		t.Errorf("%d deliveries, want %d: of 2, 1, 1 and 2 messages", len(sizes), 200*4)
	}
}
