package poller

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// pending is a frame in an outbound queue.
type pending struct {
	rest   []byte // what the kernel has not taken yet
	size   int    // what it counts for in the backlog
	shared bool   // it waits for others, too, and must not be changed
	begun  bool   // the kernel has taken some of it, or it is sealed
	sealed bool   // it is records of TLS
}

// Send sends b without waiting. Bytes that the kernel does not take are copied
// and wait in the outbound queue; b may be reused at once. It fails with
// [ErrClosed], or with [ErrSlowConsumer] if the queue is longer than
// Config.OutboundMax; then the connection ends.
func (c *Conn) Send(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendLocked(b, false)
}

// SendShared is Send for bytes that will never change: bytes that have to wait
// are referenced rather than copied.
func (c *Conn) SendShared(b []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sendLocked(b, true)
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

func (c *Conn) sendLocked(b []byte, shared bool) error {
	switch r := c.rare; {
	case c.gone, r != nil && (r.ending != open || r.hung):
		return ErrClosed
	case r != nil && len(r.queue) > 0: // behind those that wait
		if !c.loop.poller.MayOwe(r.bytes) {
			c.cutLocked()
			return ErrSlowConsumer
		}
		c.queueLocked(b, 0, shared)
		return nil
	case r != nil && r.tls != nil:
		return c.sealLocked(b, shared)
	}
	n, err := c.rawSendLocked(b)
	if err == nil && n < len(b) {
		c.queueLocked(b, n, shared)
	}
	return err
}

// rawSendLocked gives the kernel what it takes of b. An error ends the connection.
func (c *Conn) rawSendLocked(b []byte) (n int, err error) {
	n, errno := rawSend(int(c.fd), b)
	switch {
	case errno == syscall.EAGAIN || errno == syscall.EINTR:
		return 0, nil
	case errno != 0:
		c.killLocked(errno)
		return 0, ErrClosed
	}
	return n, nil
}

// maxTogether is how many bytes of small frames wait as one: each alone would need more
// memory than its bytes, which are all that is counted, and more time to look through.
const maxTogether = 16 << 10

// queueLocked puts what the kernel has not taken of b behind what waits.
func (c *Conn) queueLocked(b []byte, taken int, shared bool) {
	r := c.rareLocked()
	w := pending{rest: b[taken:], size: len(b), shared: shared && len(b) > 0, begun: taken > 0}
	if !w.shared {
		w.size = len(w.rest)
	}
	if n := len(r.queue); n == 0 || r.queue[n-1].begun || !r.queue[n-1].join(w) {
		if !w.shared {
			w.rest = clone(w.rest)
		}
		r.queue = append(r.queue, w)
	}
	c.queuedLocked(w)
}

// join copies what waits in w behind what waits in p, if both are p's own and small.
func (p *pending) join(w pending) bool {
	if p.shared || w.shared || len(p.rest)+len(w.rest) > maxTogether {
		return false
	}
	p.rest = append(p.rest, w.rest...)
	p.size += w.size
	return true
}

// queuedLocked counts what was put into the queue, and has it looked after.
func (c *Conn) queuedLocked(w pending) {
	r := c.rare
	r.bytes += len(w.rest)
	if !r.full && r.bytes > c.loop.poller.High() {
		r.full, r.stays = true, 0
	}
	c.loop.poller.backlog.add(w)
	if !r.armed { // before the connection is registered, start does it
		r.quiet = 0
		c.watchLocked()
	}
	if !r.owing {
		r.owing = true
		c.loop.sweepLater(c)
	}
}

// maxGather is how many waiting frames leave in one system call.
const maxGather = 64

// onWrite sends what waits, as far as the kernel takes it: as much as the connection's
// share of the pass. A peer that reads may take megabytes in one call.
func (c *Conn) onWrite() {
	c.loop.enter()
	c.mu.Lock()
	if c.gone || c.rare == nil || c.rare.ending == killed {
		c.mu.Unlock()
		return
	}
	err := c.flushLocked()
	if err != nil {
		c.killLocked(err)
	}
	held := c.relieveLocked()
	c.mu.Unlock()
	resume(held)
}

func (c *Conn) flushLocked() error {
	r, l := c.rare, c.loop
	for left := l.room; left > 0; {
		if len(r.queue) == 0 {
			c.drainedLocked()
			return nil
		}
		ready := len(r.queue)
		if r.tls != nil {
			if err := c.sealNextLocked(); err != nil {
				return err
			}
			ready = r.sealedFirst()
		}
		iov, size := l.iov[:0], 0
		for _, w := range r.queue[:min(ready, maxGather)] {
			iov = append(iov, w.rest[:min(len(w.rest), left-size)])
			if size += len(iov[len(iov)-1]); size == left {
				break
			}
		}
		n, err := unix.Writev(int(c.fd), iov)
		clear(iov)
		switch {
		case err == unix.EAGAIN:
			return nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return err
		}
		r.quiet = 0
		r.popLocked(l.poller, n)
		left -= n
	}
	if len(r.queue) == 0 {
		c.drainedLocked()
	}
	return nil
}

// drainedLocked is called when nothing waits any more.
func (c *Conn) drainedLocked() {
	c.watchLocked()
	if c.rare.ending == finishing {
		c.endWritingLocked()
	}
}

// relieveLocked lets the peer's input in again once it has taken half of what
// made the connection full. It returns what waited for that.
func (c *Conn) relieveLocked() (held []heldTurn) {
	r := c.rare
	if r.full && r.bytes <= c.loop.poller.High()/2 {
		r.full = false
		held, r.held = r.held, nil
		c.listenLocked()
	}
	c.tidyLocked()
	return held
}

// popLocked drops the first n bytes.
func (r *rare) popLocked(p *Poller, n int) {
	r.bytes -= n
	for len(r.queue) > 0 && n >= len(r.queue[0].rest) { // empty frames, too
		n -= len(r.queue[0].rest)
		p.backlog.remove(r.queue[0])
		r.queue[0] = pending{}
		r.queue = r.queue[1:]
	}
	if n > 0 {
		r.queue[0].rest, r.queue[0].begun = r.queue[0].rest[n:], true
	}
}

// dropLocked drops what waits behind the first so many frames.
func (r *rare) dropLocked(p *Poller, keep int) {
	r.dropped = r.dropped || len(r.queue) > keep
	for _, w := range r.queue[keep:] {
		r.bytes -= len(w.rest)
		p.backlog.remove(w)
	}
	clear(r.queue[keep:])
	r.queue = r.queue[:keep]
}

// Waiting returns how many bytes wait in the outbound queue.
func (c *Conn) Waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare == nil {
		return 0
	}
	return c.rare.bytes
}

// Hold reports whether more than Config.OutboundHigh waits for the peer. If so,
// t, which produces more for it, should wait, too: it gets its turn on pool
// once the peer has taken half of that, or the connection has ended.
func (c *Conn) Hold(pool *Pool, t Turn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rare
	if c.gone || r == nil || !r.full || r.ending != open {
		return false
	}
	r.held = append(r.held, heldTurn{pool, t})
	return true
}

// Full reports whether Hold would make a turn wait, and has for no longer than
// Config.WriteTimeout: a room waits for peers that are slow, but not for those that stay
// so. However little they take, they are not slow consumers, and could hold it up for ever.
func (c *Conn) Full() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rare != nil && c.rare.full && c.rare.stays <= sweeps
}

// Finish ends the connection politely: it sends last behind the waiting bytes,
// shuts the writing side, then gives the peer Config.Linger to close its own.
// last may be nil, and may be reused at once.
func (c *Conn) Finish(last []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.rare != nil && (c.rare.ending != open || c.rare.hung) {
		return
	}
	c.finishLocked(last)
}

func (c *Conn) finishLocked(last []byte) {
	switch r := c.rare; {
	case len(last) == 0:
	case r != nil && len(r.queue) > 0: // there is always room for this one
		c.queueLocked(last, 0, false)
	case c.sendLocked(last, false) != nil:
		return
	}
	r := c.rareLocked()
	r.ending = finishing
	c.unmuteLocked() // what comes in is read and dropped, up to the peer's FIN
	if len(r.queue) == 0 {
		c.endWritingLocked()
	}
	c.loop.post(c.lingerOn)
}

// endWritingLocked sends FIN. The peer answers with its own, and the end follows. With
// TLS, close_notify comes before it, and this is called again if that has to wait.
func (c *Conn) endWritingLocked() {
	if r := c.rare; r.tls != nil && (c.closeNotifyLocked() != nil || len(r.queue) > 0) {
		return
	}
	_ = unix.Shutdown(int(c.fd), unix.SHUT_WR) // ENOTCONN: the peer was first
}

// lingerOn puts a bound on the wait for the peer. Nothing is held any more.
func (c *Conn) lingerOn() {
	c.CheckLoop()
	if c.handler == nil {
		return
	}
	c.setTimeout(c.loop.poller.linger, lingerLimit)
	c.mu.Lock()
	var held []heldTurn
	if r := c.rare; r != nil {
		held, r.held = r.held, nil
	}
	c.mu.Unlock()
	resume(held)
}

// Kill ends the connection at once: the peer gets a reset, and all waiting
// bytes are dropped, here and in the kernel. Closed gets the first reason
// given; nil stands for ErrClosed.
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
	r := c.rareLocked()
	if r.ending == killed {
		return
	}
	if r.ending = killed; r.reason == nil {
		r.reason = reason
	}
	r.dropLocked(c.loop.poller, 0)
	if r.hung { // the loop has let go already
		c.loop.post(c.teardown)
		return
	}
	// Without it, the kernel would go on for minutes after close to offer a peer
	// that does not read what it holds. With zero seconds, close drops that and
	// sends RST (socket(7), SO_LINGER).
	_ = unix.SetsockoptLinger(int(c.fd), unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}) // at worst it does go on
	// The loop sees both sides shut.
	_ = unix.Shutdown(int(c.fd), unix.SHUT_RDWR) // ENOTCONN: the end is on its way
}
