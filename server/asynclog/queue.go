package asynclog

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/server/internal/panics"
)

// ErrNotWritten is returned by Close if lines are lost because their handler
// still blocks.
var ErrNotWritten = errors.New("asynclog: the log's handler blocks: lines are lost")

// A queue keeps records, which are handed on one by one. It is its lane's pool: each
// turn has a goroutine of its own, as a handler may block for ever.
type queue struct {
	root slog.Handler // immutable; gets what the queue itself has to say
	max  int          // immutable; bytes

	mu     sync.Mutex // guards the rest; never held while a handler is called
	rates  rates
	lane   lane.Lane[*entry] // nil is the end
	lost   losses            // since the last entry
	closed bool
	gaveUp bool // close did not wait any longer

	done chan struct{} // closed when all is written after closed
}

// An entry is a record on its way.
type entry struct {
	ctx    context.Context
	next   slog.Handler
	record slog.Record
	size   int
	before losses // what would have come before it
}

func newQueue(root slog.Handler, max, rate int) *queue {
	return &queue{root: root, max: max, rates: newRates(rate), done: make(chan struct{})}
}

// admit decides whether a line is taken, before anything is spent on it. It
// returns what put wants to know, or nil.
func (q *queue) admit(level slog.Level, message string) *kind {
	q.mu.Lock()
	defer q.mu.Unlock()
	switch k := q.rates.take(level, message, time.Now()); {
	case k == nil, q.closed:
		return nil
	case q.sizeLocked() >= q.max:
		q.lost.count(level)
		return nil
	default:
		return k
	}
}

// put appends an entry of some kind.
func (q *queue) put(k *kind, e entry) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return
	}
	if size := q.sizeLocked(); size+e.size > q.max && size > 0 { // alone it would never fit
		q.lost.count(e.record.Level)
		return
	}
	if k.suppressed > 0 {
		e.record.AddAttrs(slog.Int("suppressed", k.suppressed))
		k.suppressed = 0
	}
	e.before, q.lost = q.lost, losses{}
	q.pushLocked(&e)
}

func (q *queue) pushLocked(e *entry) {
	size := 0
	if e != nil {
		size = e.size
	}
	if q.lane.Push(q, e, size, true) {
		q.Go(q)
	}
}

// sizeLocked returns the size of the entries, and of the one that is being written.
func (q *queue) sizeLocked() int {
	size := q.lane.Bytes()
	if e, ok := q.lane.Running(); ok && e != nil {
		size += e.size
	}
	return size
}

// Go runs a turn; see [lane.Pool].
func (q *queue) Go(t lane.Turn) { go t.Turn() } // close waits for it

// Hold counts nothing: sizeLocked does.
func (q *queue) Hold(int64) {}

// Turn hands on what there is.
func (q *queue) Turn() { q.lane.Turn(q, q, &q.mu, nil, q.handOn) }

// handOn writes an entry, unless that has ended the goroutine before.
func (q *queue) handOn(e *entry, left bool) {
	if e == nil {
		if !left {
			q.sayLast()
		}
		close(q.done)
		return
	}
	written := false
	if !left {
		before := e.before
		e.before = losses{}
		q.tell(before)
		written = handle(e.ctx, e.next, e.record) == nil
	}
	if !written {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.lost.count(e.record.Level)
	}
}

// sayLast says what no line comes after to say.
func (q *queue) sayLast() {
	q.mu.Lock()
	lost, left, gaveUp := q.lost, q.rates.takeLeft(), q.gaveUp
	q.lost = losses{}
	q.mu.Unlock()
	if gaveUp {
		return
	}
	q.tell(lost)
	for _, k := range left {
		r := slog.NewRecord(time.Now(), k.level, "log lines suppressed", 0)
		r.AddAttrs(slog.String("line", k.message), slog.Int("suppressed", k.suppressed))
		_ = handle(context.Background(), q.root, r) // no one is left to tell
	}
}

// tell has the log say what it does not have.
func (q *queue) tell(l losses) {
	if l.total() == 0 {
		return
	}
	r := slog.NewRecord(time.Now(), l.worst, "log lines dropped", 0)
	r.AddAttrs(slog.Int("dropped", l.total()))
	for i, name := range [...]string{"debug", "info", "warn", "error"} {
		if l.by[i] > 0 {
			r.AddAttrs(slog.Int(name, l.by[i]))
		}
	}
	if handle(context.Background(), q.root, r) != nil { // next time
		q.mu.Lock()
		defer q.mu.Unlock()
		q.lost.add(l)
	}
}

// close lets no more in, and waits till the rest is written.
func (q *queue) close(patience time.Duration) error {
	q.mu.Lock()
	if !q.closed {
		q.closed = true
		q.pushLocked(nil)
	}
	q.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-q.done:
		return nil
	case <-timer.C:
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.gaveUp = true       // the handler may have no owner from now on
	if q.lane.Len() > 0 { // the end among them
		q.lane.Clear(q)
		q.pushLocked(nil)
	}
	return ErrNotWritten
}

// handle calls a handler; a panic is an error.
func handle(ctx context.Context, h slog.Handler, r slog.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = panics.New(p)
		}
	}()
	return h.Handle(ctx, r)
}

// losses counts lines by level: debug, info, warn, error, each with what is between
// it and the next.
type losses struct {
	by    [4]int
	worst slog.Level // the highest; meaningless without any
}

func (l *losses) total() int { return l.by[0] + l.by[1] + l.by[2] + l.by[3] }

func (l *losses) count(level slog.Level) {
	var one losses
	one.worst = level
	one.by[max(0, min(3, (level-slog.LevelDebug)/4))] = 1
	l.add(one)
}

func (l *losses) add(more losses) {
	if l.total() == 0 {
		l.worst = more.worst
	}
	l.worst = max(l.worst, more.worst)
	for i, n := range more.by {
		l.by[i] += n
	}
}
