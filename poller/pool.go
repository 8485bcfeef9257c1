package poller

import (
	"cmp"
	"container/list"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/panjf2000/ants/v2"

	"github.com/roost-rt/roost/poller/lane"
)

// A Turn is a slice of work; see package lane.
type Turn = lane.Turn

// A PoolConfig describes a Pool.
type PoolConfig struct {
	// Places is how many turns run at the same time, not counting those that have run
	// for Long. It must be at least 1.
	Places int

	// MaxWorkers is how many turns run at the same time in total. Zero means Places.
	MaxWorkers int

	// Long is how long a turn may run before it loses its place while other turns wait.
	// As the pool checks only from time to time, it may be half as much again. Zero
	// means 20 ms.
	Long time.Duration

	// OwnerShare is how many turns of one owner may run, once one of them has been
	// long, before its other turns must wait for them. A turn with a method Owner() any
	// belongs to that owner, which must be a pointer or another key of a map; other
	// turns, and those whose owner is nil, have no owner. Zero means 16.
	OwnerShare int

	// Overdue is how long a turn may run before OnOverdue is called, once for each turn
	// and at most once a second, on a goroutine of its own. Zero means 5 s. A nil
	// OnOverdue disables it.
	Overdue   time.Duration
	OnOverdue func(Overdue)

	// Logger gets the panics of turns. Nil means slog.Default().
	Logger *slog.Logger
}

func (c *PoolConfig) check() error {
	if c.Places < 1 {
		return fmt.Errorf("want at least one of Places, not %d", c.Places)
	}
	for _, n := range []int64{int64(c.MaxWorkers), int64(c.Long), int64(c.OwnerShare), int64(c.Overdue)} {
		if n < 0 {
			return errors.New("none of MaxWorkers, Long, OwnerShare and Overdue may be negative; zero is the default")
		}
	}
	c.MaxWorkers = max(c.MaxWorkers, c.Places)
	c.Long = cmp.Or(c.Long, 20*time.Millisecond)
	c.OwnerShare = cmp.Or(c.OwnerShare, 16)
	c.Overdue = cmp.Or(c.Overdue, 5*time.Second)
	c.Logger = cmp.Or(c.Logger, slog.Default())
	return nil
}

// A Pool is a [lane.Pool]: it runs turns on a bounded number of goroutines. The
// queue is here because ants has none: a full pool of ants refuses or blocks.
// The queue is at most as long as the number of claims, because the holder of a
// claim asks only once.
//
// Short turns share few places. A turn that has proved long gives its place to
// the next one waiting, and continues without one.
type Pool struct {
	cfg  PoolConfig
	work func()    // drain, bound once: each use of a method as a value allocates
	born time.Time // what worker.began counts from

	held atomic.Int64 // bytes, by Hold

	mu       sync.Mutex // guards the rest; never held while a turn runs
	workers  *ants.Pool // nil while idle, as it ticks; whoever has a place may use it without the lock
	used     bool       // since the monitor has last looked
	queue    []Turn     // a ring: n turns from first on
	first    int
	n        int
	active   int       // workers that have a place: they drain the queue or are about to
	coming   int       // those of them that have not looked at it yet
	placed   []*worker // those of them that have begun
	long     []*worker // the others, each with a turn
	waiting  list.List // of these, those that can quit: who has waited for longest is the first
	quitting int       // turns that were told to quit, and still run
	spare    []*worker // records of workers that have left
	made     int       // records
	shares   map[any]*share
	parked   int // turns in shares
	monitor  *time.Timer
	tick     time.Duration // until the monitor looks; 0 if it does not
	reported time.Duration // when OnOverdue was last told, since born
	closed   bool
}

// A worker is a goroutine that runs turns.
type worker struct {
	name   string
	labels context.Context // for WorkerStack
	index  int             // in Pool.placed or Pool.long
	turn   Turn            // or nil
	began  time.Duration   // since Pool.born
	share  *share          // that the turn counts for, or nil
	coming bool            // has not looked at the queue yet
	long   bool
	told   bool          // that it is overdue
	quit   func()        // what Waits was given, or nil
	since  time.Duration // the start of that, since Pool.born
	waits  *list.Element // in Pool.waiting, or nil; without it, quit was called
}

// A share counts the turns of an owner that has, or had, a long turn. Short turns count,
// too, until then: it cannot begin many at once again.
type share struct {
	owner   any
	running int
	waiting []Turn // while that is too many
}

// expiry is how long goroutines stay that are idle.
const expiry = 10 * time.Second

// NewPool returns a pool. It starts without goroutines, and releases those that
// were idle for ten seconds, up to ten seconds later.
func NewPool(cfg PoolConfig) (*Pool, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("worker pool: %w", err)
	}
	p := &Pool{cfg: cfg, queue: make([]Turn, 64), shares: make(map[any]*share), born: time.Now()}
	p.work = p.drain
	p.monitor = time.AfterFunc(time.Hour, p.look)
	p.monitor.Stop()
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
	more := p.moreLocked()
	p.mu.Unlock()
	if more {
		p.offer()
	}
}

// moreLocked takes a place for one more worker, if more turns wait than workers are on
// their way to them. Two on their way suffice, as each that arrives sees to the next. So
// few workers do turns that come together if they are short: waking one costs more than
// such a turn.
//
// It is two because Go keeps the goroutine woken last for the processor that woke it,
// here that of the event loop. An idle processor takes it only after a sleep of 3 µs
// and of the thread's timer slack, 50 µs or what the system says: a lone worker would
// begin when the loop's pass is over, and the two never work at the same time.
func (p *Pool) moreLocked() bool {
	return p.n > p.coming && p.coming < 2 && !p.closed && p.placeLocked()
}

// placeLocked takes a place for one more worker, if there is one. It has the
// monitor look.
func (p *Pool) placeLocked() bool {
	if p.active == p.cfg.Places || p.active+len(p.long) == p.cfg.MaxWorkers {
		p.lookLocked(p.cfg.Long / 2)
		return false
	}
	p.lookLocked(time.Second)
	p.active++
	p.coming++
	p.used = true
	if p.workers == nil {
		// Room for workers that have left the queue but not yet come home to ants.
		// Its errors are about other options.
		p.workers, _ = ants.NewPool(2*p.cfg.MaxWorkers, ants.WithNonblocking(true), ants.WithExpiryDuration(expiry))
	}
	return true
}

// offer gets one more worker. It is counted already, so fewer than MaxWorkers
// others are in drain: when ants refuses, more than that are on their way home, and
// this waits for one of those, never for a turn.
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
	w, home := p.begin(), false
	defer func() {
		if !home {
			p.lost(w)
		}
	}()
	pprof.SetGoroutineLabels(w.labels)
	for p.next(w) {
		p.run(w.turn)
	}
	home = true
}

// begin is a worker's first step.
func (p *Pool) begin() *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	var w *worker
	if n := len(p.spare); n > 0 {
		w, p.spare = p.spare[n-1], p.spare[:n-1]
	} else {
		p.made++
		w = &worker{name: strconv.Itoa(p.made)}
		w.labels = pprof.WithLabels(context.Background(), pprof.Labels(workerLabel, w.name))
	}
	add(&p.placed, w)
	w.coming = true
	return w
}

// next gets a worker its next turn, and reports whether there is one.
func (p *Pool) next(w *worker) bool {
	now := time.Since(p.born)
	p.mu.Lock()
	ok := p.nextLocked(w, now)
	more := p.moreLocked()
	p.mu.Unlock()
	if more {
		p.offer()
	}
	return ok
}

func (p *Pool) nextLocked(w *worker, now time.Duration) bool {
	p.endLocked(w)
	if w.coming {
		w.coming = false
		p.coming--
	}
	if w.long {
		remove(&p.long, w)
		w.long, w.told = false, false
		if p.active == p.cfg.Places { // another one has its place
			p.spare = append(p.spare, w)
			return false
		}
		p.active++
		add(&p.placed, w)
	}
	if p.closed || !p.takeLocked(w) {
		p.leaveLocked(w) // under the lock that saw the queue empty: no turn is left behind
		return false
	}
	w.began = now
	return true
}

// takeLocked gives a worker the first turn whose owner may have another one.
func (p *Pool) takeLocked(w *worker) bool {
	for p.n > 0 {
		t := p.pop()
		if len(p.shares) > 0 {
			switch s := p.shares[ownerOf(t)]; {
			case s == nil:
			case s.running >= p.cfg.OwnerShare:
				s.waiting = append(s.waiting, t)
				p.parked++
				continue
			default:
				s.running++
				w.share = s
			}
		}
		w.turn = t
		return true
	}
	return false
}

// leaveLocked gives the place of a worker back.
func (p *Pool) leaveLocked(w *worker) {
	remove(&p.placed, w)
	p.active--
	p.spare = append(p.spare, w)
}

// stall is how long a turn may wait, by Waits, before it has to quit for another one.
const stall = time.Second

// Waits is called once by a turn of the pool that is about to wait for something: it
// gives up its place to another turn. More than a second later, if all workers are
// taken while other turns are queued, quit is called unless it is nil, first that of
// the turn that began to wait first. Then t should return soon.
func (p *Pool) Waits(t Turn, quit func()) {
	p.mu.Lock()
	w := runs(p.placed, t)
	if w != nil {
		p.promoteLocked(w)
	} else { // it has taken long before
		w = runs(p.long, t)
	}
	if w != nil && quit != nil {
		w.quit, w.since, w.waits = quit, time.Since(p.born), p.waiting.PushBack(w)
	}
	more := p.moreLocked()
	p.mu.Unlock()
	if more {
		p.offer()
	}
}

// runs returns the worker of a list that runs t, or nil.
func runs(list []*worker, t Turn) *worker {
	for _, w := range list {
		if w.turn == t {
			return w
		}
	}
	return nil
}

// endLocked is the end of a worker's turn. If turns of the same owner wait for
// that, it lets one go on: it will do the same.
func (p *Pool) endLocked(w *worker) {
	s := w.share
	w.turn, w.share = nil, nil
	switch {
	case w.waits != nil:
		p.waiting.Remove(w.waits)
		w.quit, w.waits = nil, nil
	case w.quit != nil:
		p.quitting--
		w.quit = nil
	}
	if s == nil {
		return
	}
	s.running--
	if s.running < p.cfg.OwnerShare && len(s.waiting) > 0 {
		p.push(s.waiting[0])
		p.parked--
		s.waiting[0] = nil
		s.waiting = s.waiting[1:]
	}
	if s.running == 0 && len(s.waiting) == 0 {
		delete(p.shares, s.owner)
	}
}

// lost gives back what a worker had that a turn has taken with it by
// runtime.Goexit, which cannot be undone.
func (p *Pool) lost(w *worker) {
	p.cfg.Logger.Error("a turn has ended its goroutine: callbacks must not call runtime.Goexit, nor t.FailNow", "stack", string(debug.Stack()))
	p.mu.Lock()
	p.endLocked(w)
	if w.long {
		remove(&p.long, w)
		w.long, w.told = false, false
		p.spare = append(p.spare, w)
	} else {
		p.leaveLocked(w)
	}
	more := p.moreLocked()
	p.mu.Unlock()
	if more {
		p.offer()
	}
}

// run survives a turn that panics. Owners recover from what they run for others;
// this is for their own mistakes.
func (p *Pool) run(t Turn) {
	defer func() {
		if r := recover(); r != nil {
			p.cfg.Logger.Error("panic in a turn", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	t.Turn()
}

// lookLocked has the monitor look at the turns that run, after in at the latest.
func (p *Pool) lookLocked(in time.Duration) {
	if p.tick == 0 || in < p.tick {
		p.tick = in
		p.monitor.Reset(in)
	}
}

// look is the monitor. It is there while turns run: often while others wait, else
// once a second; and then once or twice more, to let all workers go.
func (p *Pool) look() {
	now := time.Since(p.born)
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return
	}
	p.tick = 0
	for i := len(p.placed) - 1; i >= 0; i-- { // from the end: what is removed is replaced by the last
		if w := p.placed[i]; w.turn != nil && now-w.began >= p.cfg.Long {
			p.promoteLocked(w)
		}
	}
	stalled := p.stalledLocked(now)
	more := p.moreLocked()
	switch {
	case p.n > 0:
		p.lookLocked(p.cfg.Long / 2)
	case p.active+len(p.long) > 0:
		p.lookLocked(time.Second)
	case p.used:
		p.used = false
		p.lookLocked(expiry)
	default:
		p.releaseLocked()
	}
	report := p.overdueLocked(now)
	p.mu.Unlock()
	for _, quit := range stalled {
		quit()
	}
	if more {
		p.offer()
	}
	if report != nil {
		report()
	}
}

// stalledLocked is what has turns quit, as many as others need their places beyond the
// workers on their way.
func (p *Pool) stalledLocked(now time.Duration) (quit []func()) {
	if p.active+len(p.long) < p.cfg.MaxWorkers {
		return nil
	}
	for first := p.waiting.Front(); first != nil && p.quitting+p.coming < p.n; first = p.waiting.Front() {
		w := first.Value.(*worker)
		if now-w.since < stall {
			break
		}
		quit = append(quit, w.quit)
		p.waiting.Remove(first)
		w.waits = nil
		p.quitting++
	}
	return quit
}

// releaseLocked lets the workers go. None has a turn, nor will get one.
func (p *Pool) releaseLocked() {
	if p.workers != nil {
		p.workers.Release()
		p.workers = nil
	}
}

// promoteLocked makes a worker's turn a long one: it goes on without a place.
func (p *Pool) promoteLocked(w *worker) {
	remove(&p.placed, w)
	p.active--
	w.long = true
	add(&p.long, w)
	if w.share != nil {
		return
	}
	if owner := ownerOf(w.turn); owner != nil {
		s := p.shares[owner]
		if s == nil {
			s = &share{owner: owner}
			p.shares[owner] = s
		}
		s.running++
		w.share = s
	}
}

// Close waits until the queue is empty and the workers are idle, at most d, and
// fails if they are not. Turns that have not begun then are never run.
func (p *Pool) Close(d time.Duration) error {
	for end := time.Now().Add(d); !p.idle() && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	p.mu.Lock()
	p.closed = true
	p.monitor.Stop()
	queued, running, workers := p.n+p.parked, p.active+len(p.long), p.workers
	p.mu.Unlock()
	switch {
	case queued+running > 0:
		workers.Release()
		return fmt.Errorf("worker pool: after %v %d turns are queued, %d running", d, queued, running)
	case workers == nil:
		return nil
	}
	return workers.ReleaseTimeout(time.Second) // idle workers leave at once
}

func (p *Pool) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n+p.parked == 0 && p.active+len(p.long) == 0
}

// Queued returns how many turns wait for a worker.
func (p *Pool) Queued() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.n + p.parked
}

// Hold counts bytes of lanes; see [lane.Pool].
func (p *Pool) Hold(bytes int64) { p.held.Add(bytes) }

// Held returns the bytes that the jobs of all lanes on the pool hold, both
// waiting and in progress.
func (p *Pool) Held() int64 { return p.held.Load() }

// ownerOf is whose share a turn counts for, or nil.
func ownerOf(t Turn) any {
	if o, ok := t.(interface{ Owner() any }); ok {
		return o.Owner()
	}
	return nil
}

func add(list *[]*worker, w *worker) {
	w.index = len(*list)
	*list = append(*list, w)
}

func remove(list *[]*worker, w *worker) {
	l := *list
	last := len(l) - 1
	l[w.index] = l[last]
	l[w.index].index = w.index
	l[last] = nil
	*list = l[:last]
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
