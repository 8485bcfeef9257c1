package asynclog

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

// ErrNotWritten is returned by Close if lines are lost because the handler that
// they are for still blocks.
var ErrNotWritten = errors.New("asynclog: the log's handler blocks: lines are lost")

// A queue keeps records for one goroutine that hands them on, and is there only
// while there are some.
type queue struct {
	root slog.Handler // immutable; gets what the queue itself has to say
	max  int          // immutable; bytes

	mu      sync.Mutex // guards the rest; never held while a handler is called
	rates   rates
	entries []entry
	size    int    // of the entries, and of the one that is being written
	lost    losses // since the last entry
	writing bool   // there is the goroutine
	closed  bool
	gaveUp  bool // close did not wait any longer

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
	case q.size >= q.max:
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
	if q.size+e.size > q.max && q.size > 0 { // alone it would never fit
		q.lost.count(e.record.Level)
		return
	}
	if k.suppressed > 0 {
		e.record.AddAttrs(slog.Int("suppressed", k.suppressed))
		k.suppressed = 0
	}
	e.before, q.lost = q.lost, losses{}
	q.size += e.size
	q.entries = append(q.entries, e)
	q.wakeLocked()
}

func (q *queue) wakeLocked() {
	if !q.writing {
		q.writing = true
		go q.write() // close waits for it
	}
}

// write hands on what there is.
func (q *queue) write() {
	ended := false
	defer func() {
		if !ended { // a handler called runtime.Goexit
			go q.write()
		}
	}()
	e, ok, last := q.pop()
	for ; ok; e, ok, last = q.pop() {
		q.handOn(&e)
	}
	if last {
		q.sayLast()
		close(q.done)
	}
	ended = true
}

// pop takes an entry. If there is none it reports false, and the caller ends: the
// next entry has another goroutine. last says that there will be no next one.
func (q *queue) pop() (e entry, ok, last bool) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.entries) > 0 {
		e, q.entries[0] = q.entries[0], entry{}
		q.entries = q.entries[1:]
		return e, true, false
	}
	q.entries = nil // a burst's memory goes with it
	q.writing = q.closed
	return entry{}, false, q.closed
}

// handOn writes an entry, and then makes room for others.
func (q *queue) handOn(e *entry) {
	written := false // also if the handler never returns
	defer func() {
		q.mu.Lock()
		defer q.mu.Unlock()
		q.size -= e.size
		if !written {
			q.lost.count(e.record.Level)
		}
	}()
	q.tell(e.before)
	written = handle(e.ctx, e.next, e.record) == nil
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
		_ = handle(context.Background(), q.root, r) // nobody is left to be told
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
		q.wakeLocked()
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
	q.entries, q.gaveUp = nil, true // the handler may belong to nobody from now on
	return ErrNotWritten
}

// handle calls a handler; a panic is an error.
func handle(ctx context.Context, h slog.Handler, r slog.Record) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
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
