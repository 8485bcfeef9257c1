package poller

import (
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"github.com/panjf2000/ants/v2"
)

// A Turn is a slice of work: it runs what its owner has queued, up to a budget,
// and then either gives its claim up or asks the pool for another turn.
type Turn = interface{ Turn() }

// A Pool runs turns on a bounded number of goroutines. ants has no queue: a
// full pool of its refuses or blocks. So the queue is here; it is as long as
// the number of claims at most, because whoever holds a claim asks only once.
type Pool struct {
	workers *ants.Pool
	work    func() // drain, bound once: each use of a method as a value allocates
	max     int
	log     *slog.Logger

	mu     sync.Mutex // guards the rest; never held while a turn runs
	queue  []Turn     // a ring: n turns from first on
	first  int
	n      int
	active int // workers that drain the queue or are about to
	closed bool
}

// NewPool returns a pool of at most max goroutines. It starts with none, and
// lets those go that were idle for ten seconds.
func NewPool(max int, log *slog.Logger) (*Pool, error) {
	p := &Pool{max: max, log: log, queue: make([]Turn, 64)}
	p.work = p.drain
	var err error
	// Room for workers that have left the queue but not yet come home to ants.
	p.workers, err = ants.NewPool(2*max, ants.WithNonblocking(true), ants.WithExpiryDuration(10*time.Second))
	if err != nil {
		return nil, fmt.Errorf("worker pool of %d: %w", max, err)
	}
	return p, nil
}

// Go queues a turn. It never blocks and never refuses.
func (p *Pool) Go(t Turn) {
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.push(t)
	more := p.active < p.max
	if more {
		p.active++
	}
	p.mu.Unlock()
	if more {
		p.offer()
	}
}

// offer gets one more worker. It is counted already, so at most max-1 others
// are in drain: when ants refuses, more than max are on their way home, and this
// waits for one of those, never for a turn.
func (p *Pool) offer() {
	for p.workers.Submit(p.work) != nil {
		if p.workers.IsClosed() {
			return
		}
		runtime.Gosched()
	}
}

// drain is the life of a worker: turns until there are none, or until one ends
// the goroutine.
func (p *Pool) drain() {
	home := false
	defer func() {
		if !home {
			p.lost()
		}
	}()
	p.turns()
	home = true
}

// lost gives the place of a worker back that a turn has taken with it by
// runtime.Goexit, which cannot be undone.
func (p *Pool) lost() {
	p.log.Error("a turn has ended its goroutine: callbacks must not call runtime.Goexit, nor t.FailNow", "stack", string(debug.Stack()))
	p.mu.Lock()
	more := p.n > 0 && !p.closed
	if !more {
		p.active--
	}
	p.mu.Unlock()
	if more {
		p.offer()
	}
}

func (p *Pool) turns() {
	for {
		p.mu.Lock()
		if p.n == 0 || p.closed {
			p.active-- // under the lock that saw the queue empty: no turn is left behind
			p.mu.Unlock()
			return
		}
		t := p.pop()
		p.mu.Unlock()
		p.run(t)
	}
}

// run survives a turn that panics. Owners recover from what they run for others;
// this is for their own mistakes.
func (p *Pool) run(t Turn) {
	defer func() {
		if r := recover(); r != nil {
			p.log.Error("panic in a turn", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	t.Turn()
}

// Close waits until the queue is empty and the workers are idle, at most d, and
// fails if they are not. Turns that have not begun then are never run.
func (p *Pool) Close(d time.Duration) error {
	for end := time.Now().Add(d); !p.idle() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	p.mu.Lock()
	p.closed = true
	queued, running := p.n, p.active
	p.mu.Unlock()
	if queued+running > 0 {
		p.workers.Release()
		return fmt.Errorf("worker pool: after %v %d turns are queued, %d running", d, queued, running)
	}
	return p.workers.ReleaseTimeout(time.Second) // idle workers leave at once
}

func (p *Pool) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n == 0 && p.active == 0
}

// Queued is how many turns wait for a worker.
func (p *Pool) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n
}

func (p *Pool) push(t Turn) {
	if p.n == len(p.queue) {
		bigger := make([]Turn, 2*len(p.queue))
		k := copy(bigger, p.queue[p.first:])
		copy(bigger[k:], p.queue[:p.first])
		p.queue, p.first = bigger, 0
	}
	p.queue[(p.first+p.n)%len(p.queue)] = t
	p.n++
}

func (p *Pool) pop() Turn {
	t := p.queue[p.first]
	p.queue[p.first] = nil
	p.first = (p.first + 1) % len(p.queue)
	p.n--
	return t
}
