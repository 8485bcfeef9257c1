package poller

import (
	"syscall"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// outbound is what a connection has besides its socket when all is not well:
// the kernel could not take everything, or it is closing.
type outbound struct {
	frames  [][]byte // what waits, oldest first; shared ones are only referenced
	bytes   int      // their sum
	armed   bool     // the loop has been asked to say when the socket is writable
	closing bool     // under Finish: no more sends
	reason  error    // under Kill: why
}

// Send sends b without waiting. What the kernel does not take is copied and
// waits in the outbound queue; b may be reused at once. It fails with ErrClosed
// or ErrSlowConsumer (see Config.OutboundMax), and then the connection ends.
func (c *Conn) Send(b []byte) error {
	return c.send(b, clone)
}

// SendShared is Send for bytes that nobody will ever change: what has to wait
// is not copied but referenced.
func (c *Conn) SendShared(b []byte) error {
	return c.send(b, func(rest []byte) []byte { return rest })
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func (c *Conn) send(b []byte, keep func([]byte) []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendLocked(b, keep)
}

func (c *Conn) sendLocked(b []byte, keep func([]byte) []byte) error {
	switch out := c.out; {
	case c.gone, out != nil && (out.closing || out.reason != nil):
		return ErrClosed
	case out != nil && len(out.frames) > 0: // behind those that wait
		if out.bytes > c.loop.poller.outboundMax {
			c.loop.poller.slow.Add(1)
			c.killLocked(ErrSlowConsumer)
			return ErrSlowConsumer
		}
		out.push(keep(b))
		return nil
	}
	n, errno := rawSend(int(c.fd), b)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		n = 0
	case errno != 0:
		c.killLocked(errno)
		return ErrClosed
	}
	if n < len(b) {
		c.queueLocked(keep(b[n:]))
	}
	return nil
}

// queueLocked makes rest the first of the outbound queue.
func (c *Conn) queueLocked(rest []byte) {
	if c.out == nil {
		c.out = new(outbound)
	}
	c.out.push(rest)
	c.armLocked()
}

func (o *outbound) push(b []byte) {
	o.frames = append(o.frames, b)
	o.bytes += len(b)
}

// armLocked asks the loop for onWrite. Before the connection is registered,
// start does it.
func (c *Conn) armLocked() {
	if c.op == nil || c.out.armed {
		return
	}
	if c.op.OnWrite == nil { // the loop does not look at it before it is armed
		c.op.OnWrite = c.onWrite
	}
	// It fails only when the loop has let go already: the end is on its way.
	c.out.armed = c.op.Control(netpoll.PollR2RW) == nil
}

// maxGather is how many waiting frames leave in one system call.
const maxGather = 64

// onWrite sends what waits, as far as the kernel takes it.
func (c *Conn) onWrite(netpoll.Poll) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.out
	if c.gone || out == nil || out.reason != nil {
		return nil
	}
	for len(out.frames) > 0 {
		n, err := unix.Writev(int(c.fd), out.frames[:min(len(out.frames), maxGather)])
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
			continue
		case err != nil:
			c.killLocked(err)
			return nil
		}
		out.pop(n)
	}
	// Armed or not, level-triggered EPOLLOUT would spin from here on.
	_ = c.op.Control(netpoll.PollRW2R) // as in armLocked
	out.armed = false
	if out.closing {
		c.endWritingLocked()
		return nil
	}
	c.out = nil
	return nil
}

// pop drops the first n bytes.
func (o *outbound) pop(n int) {
	o.bytes -= n
	for len(o.frames) > 0 && n >= len(o.frames[0]) { // empty frames, too
		n -= len(o.frames[0])
		o.frames[0] = nil
		o.frames = o.frames[1:]
	}
	if n > 0 {
		o.frames[0] = o.frames[0][n:]
	}
}

// Waiting is how many bytes wait in the outbound queue.
func (c *Conn) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.out == nil {
		return 0
	}
	return c.out.bytes
}

// Finish ends the connection politely: last is sent behind what waits, with
// nothing after it, then the writing side is shut, then the peer has
// Config.Linger to close its own. last may be nil, and may be reused at once.
func (c *Conn) Finish(last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.out != nil && (c.out.closing || c.out.reason != nil) {
		return
	}
	if len(last) > 0 && c.sendLocked(last, clone) != nil {
		return
	}
	if c.out == nil {
		c.out = new(outbound)
	}
	c.out.closing = true
	if len(c.out.frames) == 0 {
		c.endWritingLocked()
	}
	c.loop.post(c.lingerOn)
}

// endWritingLocked sends FIN. The peer answers with its own, and OnHup follows.
func (c *Conn) endWritingLocked() {
	_ = unix.Shutdown(int(c.fd), unix.SHUT_WR) // ENOTCONN: the peer was first
}

// lingerOn puts a bound on the wait for the peer.
func (c *Conn) lingerOn() {
	if c.handler == nil {
		return
	}
	c.setTimeout(c.loop.poller.linger, lingerLimit)
}

// Kill ends the connection at once: the peer gets a reset, and what waits is
// dropped, here and in the kernel. Closed gets reason, the first if there are
// several; nil stands for ErrClosed.
func (c *Conn) Kill(reason error) {
	if reason == nil {
		reason = ErrClosed
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.killLocked(reason)
}

func (c *Conn) killLocked(reason error) {
	if c.gone {
		return
	}
	if c.out == nil {
		c.out = new(outbound)
	}
	if c.out.reason != nil {
		return
	}
	c.out.reason = reason
	c.out.frames, c.out.bytes = nil, 0
	// Without it, the kernel would go on for minutes after close to offer a peer
	// that does not read what it holds. With zero seconds, close drops that and
	// sends RST (socket(7), SO_LINGER).
	_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // at worst it does go on
	// The loop sees both sides shut, lets go, and calls onHup.
	_ = unix.Shutdown(int(c.fd), unix.SHUT_RDWR) // ENOTCONN: onHup is on its way
}
