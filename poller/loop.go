package poller

import (
	"os"
	"runtime/debug"
	"sync"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// readSize is how much a read takes, into a buffer that all of a loop share, and what a
// handler may do at a time; see Conn.Share. If many connections have something, it is
// less, so that a pass comes to no more than passSize: as it has up to 128 events or
// tasks, at least 8 KiB.
const (
	readSize = 64 << 10
	passSize = 1 << 20
	maxTasks = 128
)

// A loop is a Poller's part of one netpoll event loop.
type loop struct {
	poller *Poller
	wakeup *netpoll.FDOperator // an eventfd, readable when tasks wait
	wakeFD int
	set    *set // holds its connections, and those of other Pollers

	buf    []byte      // loop only: what a read fills, from maxRecord on; see tlsLayer.open
	room   int         // loop only: the share of each connection in this pass
	tls    *tlsBuffers // loop only: nil until they are needed
	lent   []byte      // loop only: what Data has of an Unread, which need not be copied
	iov    [][]byte    // loop only: what a write gathers
	timers wheel       // loop only
	clock  clock       // loop only
	swept  uint32      // loop only: tick of the last sweep
	over   bool        // loop only: nothing may begin any more
	meter  meter

	mu     sync.Mutex // guards the next three; never held while a task runs
	owing  []*Conn    // those whose outbound queues may not be empty
	tasks  []func()
	closed bool // no more tasks

	due   []func() // loop only: tasks of a pass that are left for the next
	spare []func() // loop only: the slice that tasks is swapped with
}

func newLoop(p *Poller, s *set) (*loop, error) {
	fd, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		return nil, err
	}
	l := &loop{poller: p, set: s, wakeFD: fd, buf: make([]byte, maxRecord+readSize), room: readSize, iov: make([][]byte, 0, maxGather), meter: meter{start: time.Now()}}
	timer, err := newTimerFD(s, func() { l.contain(l.tick) })
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	l.clock = clock{alarm: timer, asleep: true}
	l.wakeup = s.poll.Alloc()
	l.wakeup.FD = fd
	s.watch(l.wakeup, l.runTasks)
	if err := l.watch(); err != nil {
		_ = l.wakeup.Control(netpoll.PollDetach)
		l.wakeup.Free()
		timer.close()
		unix.Close(fd)
		return nil, err
	}
	return l, nil
}

// watch has netpoll's loop look at what is of this one. It comes last, when all of it
// is there: in a build with the race detector netpoll finds an operator by its
// descriptor, and may call it at once, for an event of who had that number before.
func (l *loop) watch() error {
	for _, op := range []*netpoll.FDOperator{l.clock.alarm.(*timerFD).op, l.wakeup} {
		if err := op.Control(netpoll.PollReadable); err != nil {
			return os.NewSyscallError("epoll_ctl", err)
		}
	}
	return nil
}

// close takes the loop off netpoll's. There must be no connections.
func (l *loop) close() {
	done := make(chan struct{})
	l.mu.Lock()
	l.postLocked(func() { l.over = true; close(done) }) // the last task
	l.closed = true
	l.mu.Unlock()
	<-done
	l.clock.alarm.(*timerFD).close()
	_ = l.wakeup.Control(netpoll.PollDetach)
	l.wakeup.Free() // waits until the loop has left runTasks
	unix.Close(l.wakeFD)
}

// post runs a task on the loop, after those posted before. The queue is bounded
// by what posts: a connection posts a few at most (its start, its end, what waits
// for its next pass). It reports false, and drops the task, when the loop is
// closed.
func (l *loop) post(task func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return false
	}
	l.postLocked(task)
	return true
}

func (l *loop) postLocked(task func()) {
	l.tasks = append(l.tasks, task)
	if len(l.tasks) == 1 {
		l.remind()
	}
}

// remind has runTasks called, again if it is running.
func (l *loop) remind() {
	one := [8]byte{1}
	unix.Write(l.wakeFD, one[:]) // can only fail by being readable already
}

// divide makes a pass one of so many events or tasks.
func (l *loop) divide(n int) { l.room = min(readSize, passSize/n) }

// runTasks runs tasks, but no more than belong into a pass: most call Data again with
// what was left of the last, and connections that have something new must not wait for
// all of them.
func (l *loop) runTasks() {
	l.enter()
	l.meter.begin()
	defer l.meter.end()
	var count [8]byte
	unix.Read(l.wakeFD, count[:])
	l.takeTasks()
	defer func() { // also if a task has ended the goroutine
		if len(l.due) > 0 {
			l.remind()
		}
	}()
	now := l.due[:min(len(l.due), maxTasks)]
	l.divide(max(len(now), 1))
	for i, task := range now {
		now[i] = nil
		l.due = l.due[1:]
		l.contain(task)
	}
}

// takeTasks puts what was posted behind what is due.
func (l *loop) takeTasks() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.due) > 0 {
		l.due = append(l.due, l.tasks...)
		clear(l.tasks)
		l.tasks, l.spare = l.tasks[:0], nil
		return
	}
	l.due, l.tasks, l.spare = l.tasks, l.spare[:0], l.tasks[:0]
	if cap(l.spare) > 4096 { // a burst should not be kept for life
		l.spare = nil
	}
}

// contain runs a task and survives its panic: netpoll's goroutine is the whole
// process's event loop.
func (l *loop) contain(task func()) {
	defer func() {
		if r := recover(); r != nil {
			l.poller.log.Error("panic on the event loop", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	task()
}

// advance moves the loop's clock by one tick and tells the handlers whose time
// is up.
func (l *loop) advance() {
	for _, c := range l.timers.advance() {
		switch {
		case c.handler == nil: // gone
		case c.due != l.timers.now: // its deadline was moved and it is also elsewhere
		case c.idle == 0:
			l.timers.add(c, horizon)
		case c.expires() > l.timers.now:
			l.timers.add(c, c.expires()-l.timers.now)
		default:
			// The handler normally moves the deadline or closes; if not, it is
			// asked again after the same time.
			c.seen = l.timers.now
			l.timers.add(c, uint32(c.idle))
			c.timeout()
		}
	}
}
