package poller

import (
	"sync/atomic"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// What a connection is watched for.
const (
	canRead  = unix.EPOLLIN
	canWrite = unix.EPOLLOUT
	hungUp   = unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR // the last two are always told
)

// A set is one of netpoll's loops with the connections in it, which it knows by their
// slots here, and not as operators. So a connection needs 9 bytes, where an operator and
// its callbacks take 153. All of it belongs to the loop, except control.
type set struct {
	poll   netpoll.Poll
	fd     int                                 // its epoll set
	handle func(events []unix.EpollEvent) bool // its handler, of operators
	conns  []*Conn                             // by slot, nil where there is none; the first stays empty
	free   []uint32                            // slots
	left   []uint32                            // slots that become free after the pass: it may have events for those who had them
}

// ours marks the events of connections, beside the slot. The events of operators have
// half of a pointer there, or 0.
const ours = -1

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
	return unix.EpollCtl(s.fd, op, int(c.fd), &unix.EpollEvent{Events: mask, Fd: int32(c.slot), Pad: ours})
}

// serve tells the connections what has come for them, and netpoll's operators. It reports
// whether netpoll's loop is over.
func (s *set) serve(events []unix.EpollEvent) bool {
	returned := false
	var l *loop // that serves: Pollers have loops of their own on a set
	defer func() {
		if !returned {
			l.served()
			s.revive()
		}
	}()
	others := events[:0]
	for _, e := range events {
		if e.Pad != ours {
			others = append(others, e)
			continue
		}
		c := s.conns[e.Fd]
		if c == nil {
			continue
		}
		if c.loop != l {
			l.served()
			l = c.loop
			l.meter.begin()
			l.divide(len(events))
		}
		c.event(e.Events)
	}
	l.served()
	l = nil
	s.passed()
	over := len(others) > 0 && s.handle(others)
	returned = true
	return over
}

// revive has netpoll's loop go on with another goroutine, when a handler has ended
// the one that it had. What the pass had yet to look at is told again.
func (s *set) revive() {
	s.moves()
	go s.poll.Wait() // as netpoll does
}

// watch has an operator call do on the loop.
func (s *set) watch(op *netpoll.FDOperator, do func()) {
	op.OnRead = func(netpoll.Poll) error {
		returned := false
		defer func() {
			if !returned { // what netpoll's handler has no more time for
				atomic.StoreInt32(stateOf(op), 1)
			}
		}()
		do()
		returned = true
		return nil
	}
}

// served is the end of a pass. l may be nil.
func (l *loop) served() {
	if l != nil {
		l.meter.end()
	}
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

// wantsLocked returns the events that the connection is watched for.
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
