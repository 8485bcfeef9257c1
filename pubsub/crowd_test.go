package pubsub_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"testing"

	"github.com/roost-rt/roost/pubsub"
)

// A topic lies in one shard while it has up to some thousand members, then in as many as
// it needs, and in one again when they have left.
func TestPartsOfTopic(t *testing.T) {
	const shards = 4
	ps := pubsub.New(pubsub.Config{Shards: shards}, new(line))
	var all []*inbox
	for _, tt := range []struct{ members, parts int }{
		{1, 1}, {pubsub.Split, 1}, {pubsub.Split + 1, 2}, {2 * pubsub.Split, 2}, {2*pubsub.Split + 1, 3}, {20_000, shards},
	} {
		all = append(all, crowd(ps, "a", tt.members-len(all))...)
		if got := pubsub.Parts(ps, "a"); len(got) != tt.parts {
			t.Errorf("%d members are in parts of %v, want %d", tt.members, got, tt.parts)
		}
	}
	if got := pubsub.Parts(ps, "a"); slices.Max(got)-slices.Min(got) > shards {
		t.Errorf("20,000 members are in parts of %v, want them equal", got)
	}
	rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	for _, tt := range []struct{ members, parts int }{{10_000, shards}, {pubsub.Split, 3}, {pubsub.Split/2 - 100, 1}, {1, 1}} {
		for _, in := range all[tt.members:] {
			ps.Unsubscribe(in)
		}
		all = all[:tt.members]
		if got := pubsub.Parts(ps, "a"); len(got) > tt.parts {
			t.Errorf("%d members that are left are in parts of %v, want at most %d", tt.members, got, tt.parts)
		}
	}
	publish(t, ps, "a", "1")
	want(t, "the last one, at once", all[0], "1")
}

// Publishing to a small topic takes only the lock of its own shard.
func TestPublishTakesOneShard(t *testing.T) {
	for _, n := range []int{0, 1, 100} {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: 64}, &pool)
		all := crowd(ps, "a", n)
		unlock := pubsub.LockOthers(ps, "a")
		publish(t, ps, "a", "1")
		pool.run()
		for _, in := range all {
			want(t, "a member", in, "1")
		}
		unlock()
	}
}

// The number of subscribers that a publisher serves itself does not depend on the number
// of shards.
func TestPublisherServesFew(t *testing.T) {
	for _, shards := range []int{1, 64} {
		for n, served := range map[int]bool{64: true, 65: false} {
			ps := pubsub.New(pubsub.Config{Shards: shards}, new(line))
			all := crowd(ps, "a", n)
			publish(t, ps, "a", "1")
			if got := len(all[0].got()) == 1; got != served {
				t.Errorf("%d shards: the publisher serves %d members: %v, want %v", shards, n, got, served)
			}
		}
	}
}

// A crowd whose members all leave during a walk is forgotten when the walk ends.
func TestCrowdLeavesDuringWalk(t *testing.T) {
	var pool line
	ps := pubsub.New(pubsub.Config{Shards: 4}, &pool)
	all := crowd(ps, "a", 10_000)
	publish(t, ps, "a", "1", "2")
	for range 4 {
		pool.step()
	}
	for _, in := range all {
		ps.Unsubscribe(in)
	}
	pool.run()
	if n, held := pubsub.Topics(ps), pubsub.Pending(ps); n != 0 || held != 0 {
		t.Errorf("%d topics and %d bytes are left, want none", n, held)
	}
}

// The first part may have few members, or none at all.
func TestCrowdWithoutItsFirst(t *testing.T) {
	for _, left := range []int{0, 1} {
		var pool line
		ps := pubsub.New(pubsub.Config{Shards: 3}, &pool)
		all := crowd(ps, "a", 3*pubsub.Split)
		publish(t, ps, "a", "1")
		for _, in := range all[left:pubsub.Split] {
			ps.Unsubscribe(in)
		}
		pool.run()
		publish(t, ps, "a", "2")
		pool.run()
		for i, in := range append(all[:left:left], all[pubsub.Split:]...) {
			want(t, fmt.Sprint("member ", i), in, "1", "2")
		}
	}
}

// A crowd begins and ends over and over while others look for the topic: they find all
// of it each time.
func TestCrowdBeginsAndEnds(t *testing.T) {
	var pool goroutines
	ps := pubsub.New(pubsub.Config{Shards: 3, MaxPending: 1 << 30}, &pool)
	crowd(ps, "a", pubsub.Split/2-100)
	stop := make(chan struct{})
	var others sync.WaitGroup
	for range 3 {
		others.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				in := crowd(ps, "a", 1)[0]
				if n := ps.Subscribers("a"); n < pubsub.Split/2-99 {
					t.Errorf("Subscribers = %d, want all who stay", n)
				}
				ps.Unsubscribe(in)
			}
		})
	}
	for range 200 {
		for _, in := range crowd(ps, "a", pubsub.Split) {
			ps.Unsubscribe(in)
		}
	}
	close(stop)
	others.Wait()
	if got := pubsub.Parts(ps, "a"); len(got) != 1 || got[0] != pubsub.Split/2-100 {
		t.Errorf("those who stayed are in parts of %v, want one of %d", got, pubsub.Split/2-100)
	}
}

// Publishers are at work while a topic becomes a crowd and small again, over and over.
// Whoever stays hears each of them completely and in order. Whoever comes hears each
// without a gap, and what its own goroutine publishes.
func TestCrowdConcurrently(t *testing.T) {
	const publishers, messages, flood = 3, 100, 1000
	var pool goroutines
	ps := pubsub.New(pubsub.Config{Shards: 3}, &pool)
	guests := crowd(ps, "a", 1500)
	stay := crowd(ps, "a", 200) // in the second part, until the guests have left
	done := make(chan struct{})
	var churn, publishing sync.WaitGroup
	for p := range publishers {
		publishing.Go(func() {
			for i := range messages {
				publish(t, ps, "a", fmt.Sprintf("%d %d", p, i))
				for stay[p].size() < i {
					runtime.Gosched()
				}
			}
		})
	}
	churn.Go(func() {
		for round := 0; ; round++ {
			for _, in := range guests {
				ps.Unsubscribe(in)
			}
			for _, in := range guests {
				sequences(t, in, -1)
			}
			select {
			case <-done:
				return
			default:
			}
			guests = crowd(ps, "a", flood)
			own := fmt.Sprintf("%d %d", publishers, round)
			publish(t, ps, "a", own)
			for _, in := range guests {
				for !slices.Contains(in.got(), own) {
					runtime.Gosched()
				}
			}
		}
	})
	publishing.Wait()
	close(done)
	churn.Wait()
	pool.Wait()
	for _, in := range stay {
		ends := sequences(t, in, 0)
		for p := range publishers {
			if ends[p] != messages {
				t.Fatalf("of publisher %d one who stays got %d messages, want %d", p, ends[p], messages)
			}
		}
	}
	for range 20 { // each moves a few to the first part
		publish(t, ps, "a", "end")
		pool.Wait()
	}
	if got := len(pubsub.Parts(ps, "a")); got != 1 {
		t.Errorf("200 members are in %d parts, want 1", got)
	}
	if n := pubsub.Pending(ps); n != 0 {
		t.Errorf("%d bytes are pending, want 0", n)
	}
}

// sequences fails unless in has got consecutive numbers from each publisher, from the
// given one on, or from any if that is negative. It returns the numbers that would be
// next.
func sequences(t *testing.T, in *inbox, first int) map[int]int {
	t.Helper()
	next := map[int]int{}
	for _, e := range in.got() {
		var p, i int
		if _, err := fmt.Sscanf(e, "%d %d", &p, &i); err != nil {
			t.Fatal(err)
		}
		want, ok := next[p]
		if !ok {
			if want = first; first < 0 {
				want = i
			}
		}
		if i != want {
			t.Fatalf("got message %d of publisher %d, want %d; all: %v", i, p, want, in.got())
		}
		next[p] = i + 1
	}
	return next
}

// size returns how many events it has got.
func (i *inbox) size() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return len(i.events)
}
