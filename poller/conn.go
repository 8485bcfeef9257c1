package poller

import (
	"net/netip"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// A Handler is what a connection's owner does with its events. Its methods are
// called by the connection's loop only, one at a time, and must not wait.
type Handler interface {
	// Data takes all of data, which is lent until Data returns and may be
	// changed in place.
	Data(c *Conn, data []byte)

	// Timeout says that the deadline set with SetIdle or SetDeadline has passed.
	// It should move the deadline or end the connection.
	Timeout(c *Conn)

	// Closed is the last call. err is nil when the peer closed, else it says
	// why: what Kill was given, ErrSlowConsumer, or an error of the socket.
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

	fixed bool   // loop only: the deadline is not moved by incoming bytes
	idle  uint16 // loop only: ticks until Timeout; 0 is never
	seen  uint32 // loop only: tick of the last bytes, or of SetDeadline
	due   uint32 // loop only: tick at which the wheel looks at the connection
}

// SetHandler makes h take over. Loop only.
func (c *Conn) SetHandler(h Handler) { c.handler = h }

// SetIdle makes the loop call Timeout whenever no bytes have come in for d, in
// steps of 100 ms, at most 109 minutes. Zero means never. Loop only.
func (c *Conn) SetIdle(d time.Duration) { c.setTimeout(d, false) }

// SetDeadline makes the loop call Timeout once d from now has passed, whatever
// comes in. Loop only.
func (c *Conn) SetDeadline(d time.Duration) { c.setTimeout(d, true) }

func (c *Conn) setTimeout(d time.Duration, fixed bool) {
	w := &c.loop.timers
	c.idle, c.fixed, c.seen = uint16(ticks(d)), fixed, w.now
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

// start registers a socket with the loop; it runs on the loop. The socket must
// be non-blocking. open, if not nil, is called before any event.
func (l *loop) start(fd int, open func(*Conn) Handler) {
	c := &Conn{loop: l, fd: int32(fd)}
	c.handler = open(c)
	if c.handler == nil { // refused
		syscall.Close(fd)
		return
	}
	l.poller.live.Add(1)
	l.timers.add(c, max(uint32(c.idle), 1))
	op := l.poll.Alloc()
	op.FD = fd
	op.OnRead = c.onRead
	op.OnHup = c.onHup
	// Control publishes the operator; c.op is set after it under the lock, since
	// nobody may arm writing before.
	c.mu.Lock()
	c.op = op
	err := op.Control(netpoll.PollReadable)
	if err == nil && c.out != nil && len(c.out.frames) > 0 {
		c.armLocked()
	}
	c.mu.Unlock()
	if err != nil { // epoll's limit of watches, or no memory
		l.poller.log.Error("register connection", "err", err)
		c.Kill(err)
		c.teardown()
	}
}

// maxReads bounds how much of one connection is read before the others of the
// loop have their turn: 1 MiB.
const maxReads = 16

// onRead takes what the socket has. It must take all: when the peer has closed,
// netpoll hangs up right after.
func (c *Conn) onRead(netpoll.Poll) error {
	l := c.loop
	defer c.contain()
	for range maxReads {
		n, errno := rawRead(int(c.fd), l.buf)
		if errno == syscall.EINTR {
			continue
		}
		if errno != 0 || n == 0 { // nothing more, or the end, which OnHup reports
			return nil
		}
		if !c.fixed {
			c.seen = l.timers.now
		}
		if c.handler == nil {
			return nil
		}
		c.handler.Data(c, l.buf[:n])
		if n < len(l.buf) {
			return nil
		}
	}
	return nil
}

func (c *Conn) timeout() {
	defer c.contain()
	c.handler.Timeout(c)
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

// teardown gives everything back; it runs on the loop, after the last Data.
func (c *Conn) teardown() {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return
	}
	c.gone = true
	op, out, fd := c.op, c.out, int(c.fd)
	c.op, c.out, c.fd = nil, nil, -1
	c.mu.Unlock()

	var err error
	if out != nil && out.reason != nil {
		err = out.reason
	} else if n, e := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_ERROR); e == nil && n != 0 {
		err = syscall.Errno(n)
	}
	op.Free()
	syscall.Close(fd)
	c.loop.poller.live.Add(-1)
	h := c.handler
	c.handler = nil
	c.loop.contain(func() { h.Closed(c, err) })
}

// stop is Kill for Poller.Close.
func (c *Conn) stop() { c.Kill(ErrStopped) }
