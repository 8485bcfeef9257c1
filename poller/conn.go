package poller

import (
	"math"
	"net/netip"
	"os"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// A Handler is what a connection's owner does with its events. Its methods are
// called by the connection's loop only, one at a time, and must not wait. After
// Finish or Kill there is only Closed.
type Handler interface {
	// Data takes all of data, which is lent until Data returns and may be
	// changed in place.
	Data(c *Conn, data []byte)

	// Timeout says that the deadline set with SetIdle or SetDeadline has passed.
	// It should move the deadline or end the connection.
	Timeout(c *Conn)

	// Closed is the last call. err is nil when the peer closed, else it says
	// why: what Kill was given, ErrSlowConsumer, or an error of the socket. A
	// peer that shuts only its writing side has closed, too: what it sent before
	// is read, what waits for it is dropped.
	Closed(c *Conn, err error)
}

// A Conn is one TCP connection. It is 64 bytes, to which netpoll's operator and
// two callbacks add about 150; everything rare is behind out.
type Conn struct {
	loop    *loop
	handler Handler // loop only; nil once Closed was called

	mu   sync.Mutex // guards the next four; held during sends, which never wait
	op   *netpoll.FDOperator
	out  *outbound // what is not usual: bytes that wait, a reason to close
	fd   int32     // also read by the loop, which alone closes it
	gone bool      // torn down; fd is no longer ours

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
	if c.handler != nil {
		c.handler = h
	}
}

// Handler is who has the connection now, nil once it is closed. Loop only.
func (c *Conn) Handler() Handler { return c.handler }

// SetIdle makes the loop call Timeout whenever no bytes have come in for d, at
// most 200 ms later, and sooner only by as much as the loop was held up. d is cut
// to 109 minutes; zero or less means never. It has no effect after Finish. Loop
// only.
func (c *Conn) SetIdle(d time.Duration) { c.setTimeout(d, idleLimit) }

// SetDeadline makes the loop call Timeout once d from now has passed, whatever
// comes in; in all else it is like SetIdle. Loop only.
func (c *Conn) SetDeadline(d time.Duration) { c.setTimeout(d, fixedLimit) }

func (c *Conn) setTimeout(d time.Duration, kind limit) {
	if c.limit == lingerLimit {
		return
	}
	w := &c.loop.timers
	c.idle, c.limit, c.seen = uint16(ticks(d)), kind, w.now
	if c.idle != 0 && int32(c.expires()-c.due) < 0 {
		w.add(c, uint32(c.idle)) // sooner than the wheel would look; the old entry is void
	}
}

func (c *Conn) expires() uint32 { return c.seen + uint32(c.idle) }

// Post runs task on the connection's loop, after what was posted before. The
// connection may be closed by then.
func (c *Conn) Post(task func()) { c.loop.post(task) }

// RemoteAddr asks the kernel for the peer's address: it is not kept. It is the
// zero AddrPort when the connection is closed.
func (c *Conn) RemoteAddr() netip.AddrPort {
	return c.addr(unix.Getpeername)
}

// LocalAddr is the address of this end, as RemoteAddr of the other.
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
	c := &Conn{loop: l, fd: int32(fd)}
	l.contain(func() { c.handler = open(c) })
	if c.handler == nil { // refused, or open panicked
		c.release()
		return
	}
	l.poller.live.Add(1)
	l.timers.add(c, max(uint32(c.idle), 1))
	if err := c.register(); err != nil {
		c.Kill(err)
		c.teardown()
	}
}

// register hands the socket to netpoll. It fails when the Poller is stopping,
// and at the kernel's limit of epoll watches.
func (c *Conn) register() error {
	if c.loop.poller.stopping.Load() {
		return ErrStopped
	}
	op := c.loop.poll.Alloc()
	op.FD = int(c.fd)
	op.OnRead = c.onRead
	op.OnHup = c.onHup
	c.mu.Lock()
	defer c.mu.Unlock()
	c.op = op
	if err := op.Control(netpoll.PollReadable); err != nil {
		return os.NewSyscallError("epoll_ctl", err)
	}
	if c.out != nil && len(c.out.frames) > 0 { // sent by open
		c.armLocked()
	}
	return nil
}

// maxReads bounds how much of one connection is read before the others of the
// loop have their turn: 1 MiB.
const maxReads = 16

func (c *Conn) onRead(netpoll.Poll) error {
	c.read(maxReads)
	return nil
}

// read takes what the socket has, in at most so many reads. The end of the
// stream is left to onHup; an error is not, because the kernel tells it once.
func (c *Conn) read(times int) {
	defer c.contain()
	l := c.loop
	for range times {
		n, errno := rawRead(int(c.fd), l.buf)
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN, errno == 0 && n == 0:
			return
		case errno != 0:
			c.Kill(errno)
			return
		}
		if c.limit == idleLimit {
			c.seen = l.timers.now
		}
		if !c.ending() {
			c.handler.Data(c, l.buf[:n])
		}
		if n < len(l.buf) {
			return
		}
	}
}

func (c *Conn) timeout() {
	defer c.contain()
	switch {
	case c.limit == lingerLimit:
		c.Kill(ErrTimeout)
	case !c.ending():
		c.handler.Timeout(c)
	}
}

// ending reports whether Finish or Kill was called.
func (c *Conn) ending() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.out != nil && (c.out.closing || c.out.reason != nil)
}

// contain ends the connection whose handler panicked, and only that one.
func (c *Conn) contain() {
	if r := recover(); r != nil {
		c.loop.poller.log.Error("panic in connection handler", "panic", r, "stack", string(debug.Stack()))
		c.Kill(ErrClosed)
	}
}

// onHup is called by a goroutine of netpoll's, once, after the loop has let go
// of the socket. Every close ends here.
func (c *Conn) onHup(netpoll.Poll) error {
	c.loop.post(c.teardown)
	return nil
}

// teardown ends the connection; it runs on the loop, once netpoll has let go.
func (c *Conn) teardown() {
	c.read(math.MaxInt)   // what maxReads left, or the error: netpoll hangs up after one onRead
	if c.handler == nil { // what came last had it detached
		return
	}
	reason := c.release()
	c.loop.poller.live.Add(-1)
	h := c.handler
	c.handler = nil
	c.loop.contain(func() { h.Closed(c, reason) })
}

// release gives the operator and the socket back, and returns why the
// connection was killed, if it was.
func (c *Conn) release() (reason error) {
	c.mu.Lock()
	op, out, fd := c.op, c.out, int(c.fd)
	c.op, c.out, c.fd, c.gone = nil, nil, -1, true
	c.mu.Unlock()
	if op != nil {
		op.Free()
	}
	syscall.Close(fd)
	if out != nil {
		reason = out.reason
	}
	return reason
}

// stop is Kill for Poller.Close.
func (c *Conn) stop() { c.Kill(ErrStopped) }
