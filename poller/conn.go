package poller

import (
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Handler handles a connection's events for its owner. Only the connection's
// loop calls its methods, one at a time, and they must not wait. After Finish
// or Kill only Closed follows.
type Handler interface {
	// Data takes all of data, which is lent until Data returns and may be
	// changed in place.
	Data(c *Conn, data []byte)

	// Timeout says that the deadline set with SetIdle or SetDeadline has passed.
	// It should move the deadline or end the connection.
	Timeout(c *Conn)

	// Closed is the last call. err is nil when the peer closed; otherwise it is the
	// reason given to Kill, a SlowConsumerError, or an error of the socket. A peer that
	// shuts only its writing side has closed, too: bytes that it sent before are read,
	// bytes that wait for it are dropped.
	Closed(c *Conn, err error)
}

// A Conn is one TCP connection. It is 64 bytes; fields that few connections
// need are behind rare.
type Conn struct {
	loop    *loop
	handler Handler // loop only; nil once Closed was called

	mu      sync.Mutex // guards the next five; held during sends, which never wait
	rare    *rare      // bytes that wait, a reason to close; nil for most
	fd      int32      // also read by the loop, which alone closes it
	gone    bool       // torn down; fd is no longer ours
	watched bool       // in the loop's set
	lossy   bool       // when the connection ended, the peer had not confirmed all; see Delivered

	slot  uint32 // in loop.set, or 0; changed by the loop, under mu
	limit limit  // loop only: what the deadline is for
	idle  uint16 // loop only: ticks until Timeout; 0 is never
	seen  uint32 // loop only: tick of the last bytes, or of SetDeadline
	due   uint32 // loop only: tick at which the wheel looks at the connection
}

// A limit is a kind of deadline.
type limit uint8

const (
	idleLimit   limit = iota // moved by incoming bytes
	fixedLimit               // not moved by them
	lingerLimit              // set by Finish, not moved by anything
)

// SetHandler makes h take over; it has no effect once Closed was called. Loop
// only.
func (c *Conn) SetHandler(h Handler) {
	c.CheckLoop()
	if c.handler != nil {
		c.handler = h
	}
}

// Handler returns the current handler, or nil once the connection is closed.
// Loop only.
func (c *Conn) Handler() Handler {
	c.CheckLoop()
	return c.handler
}

// SetIdle makes the loop call Timeout whenever no bytes have arrived for d, at
// most 200 ms late, and early only by as much as the loop was held up. d is cut
// to 109 minutes; zero or less means never. It has no effect after Finish. Loop
// only.
func (c *Conn) SetIdle(d time.Duration) { c.setTimeout(d, idleLimit) }

// SetDeadline makes the loop call Timeout once d from now has passed, whatever
// arrives; otherwise it is like SetIdle. Loop only.
func (c *Conn) SetDeadline(d time.Duration) { c.setTimeout(d, fixedLimit) }

func (c *Conn) setTimeout(d time.Duration, kind limit) {
	c.CheckLoop()
	if c.limit == lingerLimit {
		return
	}
	c.idle, c.limit, c.seen = uint16(ticks(d)), kind, c.loop.now()
	if c.idle != 0 && int32(c.expires()-c.due) < 0 {
		c.loop.timers.add(c, uint32(c.idle)) // sooner than the wheel would look; the old entry is void
	}
}

func (c *Conn) expires() uint32 { return c.seen + uint32(c.idle) }

// Post runs task on the connection's loop, after all earlier tasks. The
// connection may be closed by then. It reports false, and drops the task, when
// the Poller is closed.
func (c *Conn) Post(task func()) bool { return c.loop.post(task) }

// RemoteAddr asks the kernel for the peer's address: it is not kept. It is the
// zero AddrPort when the connection is closed.
func (c *Conn) RemoteAddr() netip.AddrPort {
	return c.addr(unix.Getpeername)
}

// LocalAddr returns the address of this end, as RemoteAddr does of the other.
func (c *Conn) LocalAddr() netip.AddrPort {
	return c.addr(unix.Getsockname)
}

func (c *Conn) addr(ask func(int) (unix.Sockaddr, error)) netip.AddrPort {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return netip.AddrPort{}
	}
	sa, err := ask(int(c.fd))
	if err != nil {
		return netip.AddrPort{}
	}
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

// start makes a connection of a socket, which must be non-blocking; it runs on
// the loop. open is called before any event.
func (l *loop) start(fd int, open func(*Conn) Handler) {
	l.check()
	if l.over { // a listener is still there, whose poller is not
		unix.Close(fd)
		return
	}
	c := &Conn{loop: l, fd: int32(fd)}
	l.contain(func() { c.handler = open(c) })
	if c.handler == nil { // refused, or open panicked
		c.release()
		return
	}
	l.poller.live.Add(1)
	l.now() // for add, and for the clock to take notice
	l.timers.add(c, max(uint32(c.idle), 1))
	if err := c.register(); err != nil {
		c.Kill(err)
		c.teardown()
	}
}

// register has the loop watch the socket. It fails when the Poller is stopping,
// and at the kernel's limit of epoll watches.
func (c *Conn) register() error {
	if c.loop.poller.stopping.Load() {
		return ErrStopped
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.loop.set.add(c)
	if err := c.loop.set.control(unix.EPOLL_CTL_ADD, c, c.wantsLocked()); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	c.watched = true
	return nil
}

func (c *Conn) timeout() {
	defer c.contain()
	switch a := c.appetite(); {
	case c.limit == lingerLimit:
		c.Kill(ErrTimeout)
	case a == drops:
	case a == waits && c.limit == idleLimit: // the peer is not silent: we do not listen
	default:
		c.handler.Timeout(c)
	}
}

// hand has the handler take data. One that panics or calls runtime.Goexit ends its
// connection. After Goexit the loop has another goroutine; see revive.
func (c *Conn) hand(data []byte) {
	returned := false
	defer func() {
		if !returned {
			c.loop.poller.log.Error("a connection handler has not returned from Data")
			c.loop.lent = nil
			c.Kill(ErrClosed)
		}
	}()
	c.handler.Data(c, data)
	returned = true
}

// contain ends the connection whose handler panicked, and only that one.
func (c *Conn) contain() {
	if r := recover(); r != nil {
		c.loop.poller.log.Error("panic in connection handler", "panic", r, "stack", string(debug.Stack()))
		c.Kill(ErrClosed)
	}
}

// release gives the socket back, and returns why the connection was ended, if it
// was.
func (c *Conn) release() (reason error) {
	c.mu.Lock()
	c.noteLossLocked()
	c.unwatchLocked()
	c.loop.set.remove(c)
	r, fd := c.rare, int(c.fd)
	if r != nil {
		r.dropLocked(c.loop.poller, 0)
	}
	c.rare, c.fd, c.gone = nil, -1, true
	c.mu.Unlock()
	syscall.Close(fd)
	if r != nil {
		reason = r.reason
		resume(r.held)
	}
	return reason
}

// stop is Kill for Poller.Close.
func (c *Conn) stop() { c.Kill(ErrStopped) }
