// Package lane is how Roost runs what must run alone and in order, without a
// goroutine for each: a [Lane] has turns on a [Pool].
//
// It knows nothing of what the jobs are, nor of how a pool works.
package lane

import "sync"

// Budget is how many jobs a turn does before others have theirs.
const Budget = 16

// A Turn is a slice of work: it runs what its owner has queued, up to a budget,
// and then either gives its claim up or asks the pool for another turn.
type Turn = interface{ Turn() }

// A Pool is where lanes have their turns. Locks of their owners' may be held.
type Pool interface {
	// Go queues a turn. It never blocks, never refuses, and leaves it to another
	// goroutine.
	Go(Turn)

	// Hold adds to the bytes that jobs of all lanes hold for themselves, of those
	// that wait and of those that are being done.
	Hold(bytes int64)
}

// A Lane does work one job at a time, in order. It has a queue, a claim (the right to
// work on the queue), and turns on a [Pool], but no goroutine. The push of the first
// job takes the claim and asks the pool for a turn; a turn does a few jobs, then drops
// the claim or goes to the back of the pool's queue.
//
// A lane is guarded by a lock of its owner, so that it costs 24 bytes. It sets no
// bounds: before a push the owner checks Len and Bytes, and the pool's figures for all
// lanes. The zero value is an empty lane. Its owner must not be copied, must have no
// other lane, and must always name the same pool.
type Lane[J any] struct {
	last    *entry[J] // whose next is the first: a ring, as every owner pays for each word here
	running *entry[J] // what the turn does now, or nil
	n       int32     // of jobs, and one for the claim while a turn is queued or running
	bytes   int32     // of the jobs that wait
}

// An entry is a job in a lane.
type entry[J any] struct {
	next   *entry[J]
	bytes  int32
	tries  int8 // how often it was begun and not finished
	shared bool // the bytes are not the job's alone: not told to Pool.Hold
	job    J
}

// maxTries is how often a job is begun: once to do it, and twice to settle what
// it has left behind.
const maxTries = 3

// Len is how many jobs wait.
func (l *Lane[J]) Len() int { return max(int(l.n)-1, 0) } // without the claim there are none

// Bytes is how much the waiting jobs hold, as Push was told.
func (l *Lane[J]) Bytes() int { return int(l.bytes) }

// Running is the job that is being done.
func (l *Lane[J]) Running() (j J, ok bool) {
	if l.running == nil {
		return j, false
	}
	return l.running.job, true
}

// Push appends a job that holds so many bytes, and reports whether the caller has
// to ask p for a turn. Bytes that jobs of other lanes hold, too, are shared: the
// pool is not told to hold them, as it would count them once for each.
func (l *Lane[J]) Push(p Pool, j J, bytes int, shared bool) (ask bool) {
	e := &entry[J]{job: j, bytes: int32(bytes), shared: shared}
	e.hold(p, 1)
	return l.push(e)
}

// hold has the pool hold an entry's bytes from Push on: once. When the job is done,
// taken or dropped, that is undone by -1.
func (e *entry[J]) hold(p Pool, times int64) {
	if !e.shared {
		p.Hold(times * int64(e.bytes))
	}
}

func (l *Lane[J]) push(e *entry[J]) (ask bool) {
	if l.last == nil {
		e.next = e
	} else {
		e.next, l.last.next = l.last.next, e
	}
	l.last = e
	l.bytes += e.bytes
	ask = l.n == 0
	if ask {
		l.n++ // the claim
	}
	l.n++
	return ask
}

// pop takes the first job, or drops the claim when there is none.
func (l *Lane[J]) pop() *entry[J] {
	if l.last == nil {
		l.n = 0
		return nil
	}
	e := l.last.next
	if e == l.last {
		l.last = nil
	} else {
		l.last.next = e.next
	}
	e.next = nil
	l.n--
	l.bytes -= e.bytes
	return e
}

// Take moves the waiting jobs that match to the end of another lane, which may have no
// owner. Both lanes keep their order. Only the owner's turn may call it.
func (l *Lane[J]) Take(to *Lane[J], match func(J) bool) {
	l.CheckTurn()
	for range l.Len() {
		e := l.pop() // the claim stays, as it is the turn's
		if match(e.job) {
			to.push(e)
		} else {
			l.push(e)
		}
	}
}

// Append moves all jobs that wait in another lane, which has no turn, behind those
// of this one. It reports whether the caller has to ask for a turn, as Push does.
func (l *Lane[J]) Append(from *Lane[J]) (ask bool) {
	n := from.Len()
	if n == 0 {
		return false
	}
	if l.last != nil { // two rings become one
		l.last.next, from.last.next = from.last.next, l.last.next
	}
	ask = l.n == 0
	if ask {
		l.n++ // the claim
	}
	l.last = from.last
	l.n += int32(n)
	l.bytes += from.bytes
	from.last, from.n, from.bytes = nil, 0, 0
	return ask
}

// First is the first job that waits.
func (l *Lane[J]) First() (j J, ok bool) {
	if l.last == nil {
		return j, false
	}
	return l.last.next.job, true
}

// Drop drops the first job that waits, of a lane that has no turn.
func (l *Lane[J]) Drop(p Pool) { l.pop().hold(p, -1) }

// Clear drops the jobs that wait, and returns them. The claim stays with the turn that
// has it.
func (l *Lane[J]) Clear(p Pool) (dropped []J) {
	for l.last != nil {
		e := l.pop()
		e.hold(p, -1)
		dropped = append(dropped, e.job)
	}
	return dropped
}

// Turn does a few jobs, without holding mu, which guards the lane. The owner's turn
// calls it. When more jobs are left it asks p for another turn of the owner. Before
// each job it asks held, under mu, whether to stop: then held sees to another turn, for
// which the claim is kept. A nil held never stops it.
//
// A job that panics or calls [runtime.Goexit] ends the turn and perhaps the
// goroutine, but not the lane: another turn begins with the same job, and tells do
// that it was left, so that the owner settles it. If do leaves that, too, it is
// called once more; then the job is dropped.
func (l *Lane[J]) Turn(p Pool, owner Turn, mu *sync.Mutex, held func() bool, do func(j J, left bool)) {
	returned := false
	l.begin()
	defer func() {
		l.finish()
		if !returned {
			l.leave(p, mu)
			p.Go(owner)
		}
	}()
	more := l.work(p, mu, held, do)
	returned = true
	if more {
		p.Go(owner) // keep the claim, go to the back of the line
	}
}

// work does a few jobs and reports whether there may be more.
func (l *Lane[J]) work(p Pool, mu *sync.Mutex, held func() bool, do func(j J, left bool)) (more bool) {
	for range Budget {
		mu.Lock()
		l.running = nil
		if held != nil && l.last != nil && held() {
			mu.Unlock()
			return false
		}
		e := l.pop() // drops the claim when there is none
		l.running = e
		mu.Unlock()
		if e == nil {
			return false
		}
		do(e.job, e.tries > 0)
		e.hold(p, -1)
	}
	mu.Lock()
	l.running = nil
	mu.Unlock()
	return true
}

// leave puts the job that runs back to the front, for whoever settles it.
func (l *Lane[J]) leave(p Pool, mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
	e := l.running
	l.running = nil
	if e == nil {
		return
	}
	if e.tries++; e.tries < maxTries {
		l.unshift(e)
	} else {
		e.hold(p, -1)
	}
}

// unshift makes an entry the first. There is a claim: the turn's.
func (l *Lane[J]) unshift(e *entry[J]) {
	last := l.last
	l.push(e)
	if last != nil { // in a ring, what comes after the last is the first
		l.last = last
	}
}
