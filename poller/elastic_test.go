package poller_test

import (
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/poller"
)

// newElastic starts a pool that ends with the test.
func newElastic(t *testing.T, cfg poller.PoolConfig) *poller.Pool {
	t.Helper()
	p, err := poller.NewPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(30 * time.Second); err != nil {
			t.Error(err)
		}
	})
	return p
}

// A blocked turn waits until it is told to go on. It is its owner's.
type blocked struct {
	owner  any
	begun  *atomic.Int32
	resume chan bool
}

func (b *blocked) Turn()      { b.begun.Add(1); <-b.resume }
func (b *blocked) Owner() any { return b.owner }

// Of turns that come together each worker gets the next one a worker, so that all
// begin at once although the first does not return: no time passes.
func TestPoolWakesInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const places = 50
		p := newElastic(t, poller.PoolConfig{Places: places})
		var begun atomic.Int32
		resume := make(chan bool)
		for range places {
			p.Go(&blocked{nil, &begun, resume})
		}
		synctest.Wait()
		if n := begun.Load(); n != places {
			t.Errorf("%d turns have begun, want %d", n, places)
		}
		close(resume)
	})
}

// Of turns that come together, the second has a worker on its way, too; those behind
// them do not. A worker may come between the calls, so not each attempt shows it.
func TestPoolWakesTwo(t *testing.T) {
	p := newElastic(t, poller.PoolConfig{Places: 50})
	eventually(t, "two workers on their way", func() bool {
		var done sync.WaitGroup
		done.Add(3)
		var coming [3]int
		for i := range coming {
			p.Go(turn(done.Done))
			coming[i] = p.Coming()
			if coming[i] > 2 {
				t.Errorf("%d workers on their way after %d turns", coming[i], i+1)
			}
		}
		done.Wait()
		return coming == [3]int{1, 2, 2}
	})
}

// Turns that never end hold no places; more than MaxWorkers do not run; and when
// they end, all is as before.
func TestPoolElastic(t *testing.T) {
	const places, most = 2, 50
	p := newElastic(t, poller.PoolConfig{Places: places, MaxWorkers: most})
	for range 3 {
		var begun atomic.Int32
		resume, ran := make(chan bool), make(chan bool, 1)
		for range most - 1 {
			p.Go(&blocked{nil, &begun, resume})
		}
		eventually(t, "all begun", func() bool { return begun.Load() == most-1 })
		p.Go(turn(func() { ran <- true }))
		within(t, ran)
		for range 10 {
			p.Go(&blocked{nil, &begun, resume})
		}
		eventually(t, "one more begun, nine queued", func() bool { return begun.Load() == most && p.Queued() == 9 })
		if st := p.Stats(); st.Running != most || st.Queued != 9 || st.Oldest == 0 {
			t.Errorf("Stats = %+v, want %d running and 9 queued", st, most)
		}
		close(resume)
		eventually(t, "idle", func() bool { st := p.Stats(); return st.Running+st.Queued == 0 })
	}
}

// An owner has its share of long turns, and a place's worth of those that have
// yet to turn out to be long; all of its turns run in the end.
func TestPoolOwnerShare(t *testing.T) {
	const places, share, turns = 4, 3, 200
	p := newElastic(t, poller.PoolConfig{Places: places, MaxWorkers: 100, OwnerShare: share})
	var greedy, modest atomic.Int32
	resume := make(chan bool)
	for range turns {
		p.Go(&blocked{&greedy, &greedy, resume})
	}
	eventually(t, "the share is used up", func() bool { return greedy.Load() >= share })
	for range 20 {
		p.Go(&blocked{nil, &modest, resume})
	}
	eventually(t, "all others have begun", func() bool { return modest.Load() == 20 })
	if n := greedy.Load(); n > share+places {
		t.Errorf("%d turns of one owner have begun, want at most %d", n, share+places)
	}
	for range 10 { // each that ends makes room for one
		resume <- true
	}
	close(resume)
	eventually(t, "all have begun", func() bool { return greedy.Load() == turns })
}

// Short and long turns of many owners, some of which end their goroutine, in any
// order: none is lost, and no place.
func TestPoolElasticModel(t *testing.T) {
	const n = 2000
	p := newElastic(t, poller.PoolConfig{Places: 2, MaxWorkers: 8, OwnerShare: 2, Long: 2 * time.Millisecond, Logger: slog.New(slog.DiscardHandler)})
	var begun atomic.Int32
	resume := make(chan bool)
	owners := make([]int, 3)
	go func() {
		for begun.Load() < n {
			select {
			case resume <- true:
			case <-time.After(time.Millisecond):
			}
		}
		close(resume)
	}()
	for i := range n {
		switch i % 10 {
		case 0:
			p.Go(&blocked{&owners[i%3], &begun, resume})
		case 5:
			p.Go(turn(func() { begun.Add(1); runtime.Goexit() }))
		default:
			p.Go(turn(func() { begun.Add(1) }))
		}
	}
	eventually(t, "all have begun", func() bool { return begun.Load() == n })
	var both sync.WaitGroup
	both.Add(8)
	for range 8 {
		p.Go(turn(func() { both.Done(); both.Wait() }))
	}
	both.Wait() // all workers are there
}

// Turns that take too long are reported, once, with where they are.
func TestPoolOverdue(t *testing.T) {
	reports := make(chan poller.Overdue, 9)
	p := newElastic(t, poller.PoolConfig{
		Places: 4, Overdue: time.Millisecond, OnOverdue: func(o poller.Overdue) { reports <- o },
	})
	var begun atomic.Int32
	resume := make(chan bool)
	defer close(resume)
	for range 3 {
		p.Go(&blocked{nil, &begun, resume})
	}
	o := within(t, reports)
	stack := o.Stack()
	if _, ok := o.Turn.(*blocked); !ok || o.Ran < time.Millisecond || o.Others != 2 || !strings.Contains(stack, "poller_test.(*blocked).Turn") {
		t.Errorf("report %+v with stack %q, want one of three", o, stack)
	}
}
