package poller_test

import (
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/poller/lane"
)

// A mailbox is an owner of a lane as the pool's users are.
type mailbox struct {
	pool *poller.Pool
	mu   sync.Mutex
	lane lane.Lane[func()]
}

func (m *mailbox) post(job func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.lane.Push(m.pool, job, 0, false) {
		m.pool.Go(m)
	}
}

func (m *mailbox) Turn() { m.lane.Turn(m.pool, m, &m.mu, nil, func(job func(), _ bool) { job() }) }

// turn is a Turn that has no owner.
type turn func()

func (f turn) Turn() { f() }

func newPool(t testing.TB, max int) *poller.Pool {
	t.Helper()
	p, err := poller.NewPool(poller.PoolConfig{Places: max, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// Each owner's jobs run one at a time and in order, all of them, on at most max
// goroutines at once.
func TestPoolOrder(t *testing.T) {
	const owners, posters, jobs = 50, 4, 200
	for _, max := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			p := newPool(t, max)
			var running, most atomic.Int32
			var posting, done sync.WaitGroup
			done.Add(owners * posters * jobs)
			var got [owners][]int // of each owner: guarded by its claim
			var busy [owners]atomic.Bool
			boxes := make([]*mailbox, owners)
			for i := range boxes {
				boxes[i] = &mailbox{pool: p}
			}
			for poster := range posters {
				posting.Go(func() {
					for job := range jobs {
						for i, box := range boxes {
							box.post(func() {
								defer done.Done()
								if busy[i].Swap(true) {
									t.Error("two turns of one owner at once")
								}
								raise(&most, running.Add(1))
								got[i] = append(got[i], poster*jobs+job)
								running.Add(-1)
								busy[i].Store(false)
							})
						}
					}
				})
			}
			posting.Wait()
			done.Wait()
			if err := p.Close(30 * time.Second); err != nil {
				t.Error(err)
			}
			if n := most.Load(); n > int32(max) {
				t.Errorf("%d turns ran at once, want at most %d", n, max)
			}
			for i := range got {
				for poster := range posters {
					want := poster * jobs
					for _, job := range got[i] {
						if job/jobs == poster {
							if job != want {
								t.Fatalf("owner %d: job %d, want %d", i, job, want)
							}
							want++
						}
					}
					if want != (poster+1)*jobs {
						t.Errorf("owner %d: jobs lost", i)
					}
				}
			}
		})
	}
}

func raise(most *atomic.Int32, n int32) {
	for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
	}
}

// While all workers are stuck, Go only queues; when they are not, all is run, in
// order.
func TestPoolFull(t *testing.T) {
	for _, max := range []int{1, 2, 8} {
		t.Run(fmt.Sprint(max), func(t *testing.T) {
			p := newPool(t, max)
			before := runtime.NumGoroutine()
			stuck, release := make(chan bool, max), make(chan bool)
			for range max {
				p.Go(turn(func() { stuck <- true; <-release }))
			}
			for range max {
				within(t, stuck)
			}
			const n = 10000
			var mu sync.Mutex
			var got []int
			for i := range n {
				p.Go(turn(func() { mu.Lock(); got = append(got, i); mu.Unlock() }))
			}
			if q := p.Queued(); q != n {
				t.Errorf("Queued = %d, want %d", q, n)
			}
			if g := runtime.NumGoroutine() - before; g > 2*max+2 { // ants has two of its own
				t.Errorf("%d goroutines, want at most %d", g, 2*max+2)
			}
			close(release)
			if err := p.Close(30 * time.Second); err != nil {
				t.Error(err)
			}
			if len(got) != n {
				t.Fatalf("%d turns ran, want %d", len(got), n)
			}
			if max == 1 && !slices.IsSorted(got) {
				t.Error("turns ran out of order")
			}
		})
	}
}

// Every worker that can help does: max turns that wait for each other end.
func TestPoolReachesMax(t *testing.T) {
	const max = 8
	p := newPool(t, max)
	for range 300 {
		var barrier, done sync.WaitGroup
		barrier.Add(max)
		done.Add(max)
		for range max {
			p.Go(turn(func() { barrier.Done(); barrier.Wait(); done.Done() }))
		}
		done.Wait()
		for range 100 { // workers come and go, some are on their way home when the next round begins
			p.Go(turn(func() {}))
		}
	}
	if err := p.Close(30 * time.Second); err != nil {
		t.Error(err)
	}
}

func TestPoolPanic(t *testing.T) {
	p := newPool(t, 1)
	ran := make(chan bool, 1)
	for range 3 {
		p.Go(turn(func() { panic("on purpose") }))
	}
	p.Go(turn(func() { ran <- true }))
	within(t, ran)
	if err := p.Close(30 * time.Second); err != nil {
		t.Error(err)
	}
}

// A turn that ends its goroutine takes no place with it.
func TestPoolGoexit(t *testing.T) {
	p := newPool(t, 2)
	for range 100 {
		p.Go(turn(runtime.Goexit))
	}
	var both sync.WaitGroup
	both.Add(2)
	ran := make(chan bool, 2)
	for range 2 {
		p.Go(turn(func() { both.Done(); both.Wait(); ran <- true }))
	}
	within(t, ran)
	within(t, ran)
	if err := p.Close(30 * time.Second); err != nil {
		t.Error(err)
	}
}

// Close gives up on work that takes too long. Turns that have not begun never run.
func TestPoolCloseWithWork(t *testing.T) {
	p := newPool(t, 1)
	stuck, release := make(chan bool), make(chan bool)
	var ended atomic.Bool
	p.Go(turn(func() { stuck <- true; <-release; ended.Store(true) }))
	within(t, stuck)
	p.Go(turn(func() { t.Error("a turn ran after Close") }))
	if err := p.Close(10 * time.Millisecond); err == nil {
		t.Error("Close = nil, want an error: a turn runs and one is queued")
	}
	p.Go(turn(func() { t.Error("a turn asked for after Close ran") }))
	close(release)
	eventually(t, "the turn has ended", ended.Load)
}

func TestPoolAllocates(t *testing.T) {
	p := newPool(t, 2)
	ran := make(chan bool, 1)
	var task poller.Turn = turn(func() { ran <- true })
	n := testing.AllocsPerRun(1000, func() {
		p.Go(task)
		<-ran
	})
	if n != 0 {
		t.Errorf("Go allocates %v times, want 0", n)
	}
	if err := p.Close(30 * time.Second); err != nil {
		t.Error(err)
	}
}
