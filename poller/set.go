package poller

import (
	"os"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// maxEvents is how many connections have their turns in a pass of the loop.
const maxEvents = 256

// A loop that had so many events looks at its connections again before it asks
// netpoll, so many times in all.
const (
	busy      = 4
	maxPasses = 4
)

// What a connection is watched for.
const (
	canRead  = unix.EPOLLIN
	canWrite = unix.EPOLLOUT
	hungUp   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR // the last two are always told
)

// A set is the epoll set of a loop's connections. To netpoll's loop it is one
// descriptor, readable when a connection has something. So a connection needs 9
// bytes here, where an operator of netpoll's and its callbacks take 153. All of it
// belongs to the loop, except control.
type set struct {
	fd     int
	op     *netpoll.FDOperator
	events []unix.EpollEvent
	conns  []*Conn  // by slot, nil where there is none; the first is nobody's
	free   []uint32 // slots
	left   []uint32 // slots that become free after the pass: it may have events for those who had them
}

// newSet makes one of which netpoll's loop calls ready, once it is watched.
func newSet(poll netpoll.Poll, ready func(netpoll.Poll) error) (*set, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	s := &set{fd: fd, op: poll.Alloc(), events: make([]unix.EpollEvent, maxEvents), conns: make([]*Conn, 1)}
	s.op.FD = fd
	s.op.OnRead = ready
	return s, nil
}

// close takes the set off netpoll's loop. Not on the loop.
func (s *set) close() {
	_ = s.op.Control(netpoll.PollDetach)
	s.op.Free() // waits until the loop has left ready
	unix.Close(s.fd)
}

// add gives a connection its slot.
func (s *set) add(c *Conn) {
	if n := len(s.free); n > 0 {
		c.slot, s.free = s.free[n-1], s.free[:n-1]
		s.conns[c.slot] = c
		return
	}
	c.slot = uint32(len(s.conns))
	s.conns = append(s.conns, c)
}

func (s *set) remove(c *Conn) {
	if c.slot != 0 {
		s.conns[c.slot] = nil
		s.left = append(s.left, c.slot)
		c.slot = 0
	}
}

// control changes what a connection is watched for. Any goroutine.
func (s *set) control(op int, c *Conn, mask uint32) error {
	return unix.EpollCtl(s.fd, op, int(c.fd), &unix.EpollEvent{Events: mask, Fd: int32(c.slot)})
}

// serve tells the connections what has come for them.
func (l *loop) serve(netpoll.Poll) error {
	s := l.set
	l.meter.begin()
	for range maxPasses {
		n, _ := rawEpollWait(s.fd, s.events) // -1 for EINTR: netpoll will come again
		for _, e := range s.events[:max(n, 0)] {
			if c := s.conns[e.Fd]; c != nil {
				c.event(e.Events)
			}
		}
		s.passed()
		l.meter.end()
		if n < busy {
			break
		}
	}
	return nil
}

// passed is the end of a pass.
func (s *set) passed() {
	s.free = append(s.free, s.left...)
	s.left = s.left[:0]
}

// event reads before it looks at the end, since what the peer sent before is
// handled.
func (c *Conn) event(has uint32) {
	slot := c.slot
	if has&canRead != 0 {
		c.onRead()
	}
	switch {
	case c.slot != slot: // it was detached
	case has&hungUp != 0:
		c.mu.Lock()
		c.unwatchLocked() // or it would be told again
		c.mu.Unlock()
		c.teardown()
	case has&canWrite != 0:
		c.onWrite()
	}
}

// wantsLocked is what the connection is watched for.
func (c *Conn) wantsLocked() uint32 {
	r := c.rare
	if r == nil {
		return canRead | unix.EPOLLRDHUP
	}
	mask := uint32(unix.EPOLLRDHUP)
	if !r.muted {
		mask |= canRead
	}
	if r.armed = len(r.queue) > 0; r.armed {
		mask |= canWrite
	}
	return mask
}

// watchLocked has the loop look for what the connection wants now.
func (c *Conn) watchLocked() {
	if c.watched {
		_ = c.loop.set.control(unix.EPOLL_CTL_MOD, c, c.wantsLocked()) // fails only without memory for what is there already
	}
}

func (c *Conn) unwatchLocked() {
	if c.watched {
		c.watched = false
		_ = c.loop.set.control(unix.EPOLL_CTL_DEL, c, 0) // as above
	}
}
