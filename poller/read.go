package poller

import (
	"syscall"
	"unsafe"
)

// maxReads bounds how much of one connection is read before the others of the
// loop have their turn: 64 KiB at most.
const maxReads = 1

// appetite says what to do with the input of a connection.
type appetite uint8

const (
	takes appetite = iota
	opens          // takes, once TLS has opened it
	waits          // it stays in the kernel, so that the peer has to wait, too
	drops          // the connection is ending
)

func (c *Conn) appetite() appetite {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch r := c.rare; {
	case r == nil:
		return takes
	case r.ending != open:
		return drops
	case r.paused, r.full, r.left():
		return waits
	case r.tls != nil:
		return opens
	}
	return takes
}

func (c *Conn) onRead() {
	c.loop.enter()
	if c.read(maxReads); c.appetite() == waits {
		c.mute()
	}
}

// read takes what the socket has, in at most so many reads, and reports whether
// there may be more. The end of the stream is left to event; an error is not,
// because the kernel tells it once.
func (c *Conn) read(times int) (more bool) {
	defer c.contain()
	l := c.loop
	for range times {
		a := c.appetite()
		if a == waits {
			return true
		}
		n, errno := rawRecv(int(c.fd), l.buf[maxRecord:maxRecord+l.room])
		switch {
		case errno == syscall.EINTR:
			continue
		case errno == syscall.EAGAIN, errno == 0 && n == 0:
			return false
		case errno != 0:
			c.Kill(errno)
			return false
		}
		switch a {
		case opens:
			c.takeTLS(n)
		case takes:
			c.heard()
			c.hand(l.buf[maxRecord : maxRecord+n])
		default:
			c.heard()
		}
		if n < l.room {
			return false
		}
	}
	return true
}

// Share returns how many bytes of work a call of Data should do, between 8 and 64 KiB:
// the less, the more connections have a part in the same pass of the loop. Unread
// leaves the rest for the next pass. Loop only.
func (c *Conn) Share() int {
	c.CheckLoop()
	return c.loop.room
}

// heard moves the deadline that bytes move.
func (c *Conn) heard() {
	if c.limit == idleLimit {
		c.seen = c.loop.now()
	}
}

// Unread gives back the rest of the bytes passed to Data. The loop looks at its
// other connections, then calls Data with the rest before it reads more. A
// handler can thus bound the work that one peer asks of a loop at a time.
// Within Data only, at its end.
func (c *Conn) Unread(rest []byte) {
	c.CheckLoop()
	if len(rest) == 0 {
		return
	}
	if l := c.loop; len(l.lent) == 0 || last(l.lent) != last(rest) {
		rest = clone(rest) // it is in the buffer that all reads share
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.rareLocked().rest = rest
	c.goOnLocked()
}

// left reports whether something was read that the handler does not have yet.
func (r *rare) left() bool { return r.rest != nil || r.tls != nil && r.tls.left() }

// goOn has what TLS has left handled in the next pass, behind what Unread gave back.
func (c *Conn) goOn() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rare; r != nil && r.rest == nil && r.left() {
		c.goOnLocked()
	}
}

// goOnLocked has what is left handled in the next pass.
func (c *Conn) goOnLocked() {
	if c.rare.hung {
		c.loop.post(c.teardown)
	} else {
		c.loop.post(c.again)
	}
}

// again calls Data with what is left, unless that has to wait longer: with what
// Unread gave back, then with what TLS has not opened.
func (c *Conn) again() {
	c.CheckLoop()
	defer c.contain()
	c.mu.Lock()
	r := c.rare
	if c.handler == nil || r == nil || !r.left() || r.paused || r.full {
		c.mu.Unlock()
		return
	}
	rest := r.rest
	r.rest = nil
	if r.ending != open {
		if r.tls != nil {
			r.tls.forget()
		}
		c.tidyLocked()
		c.mu.Unlock()
		return
	}
	c.tidyLocked()
	c.mu.Unlock()
	if rest == nil {
		c.takeTLS(0)
		return
	}
	c.loop.lent = rest
	c.hand(rest)
	c.loop.lent = nil
	c.goOn()
}

// Pause makes the connection's input wait, from the next call of Data on, until
// Resume: in the kernel, and then at the peer. If the peer hangs up meanwhile,
// the handler is told only afterwards. Loop only.
func (c *Conn) Pause() {
	c.CheckLoop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.rareLocked().paused = true
	}
}

// Resume ends Pause. Loop only; elsewhere, Post it.
func (c *Conn) Resume() {
	c.CheckLoop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rare; r != nil && r.paused {
		r.paused = false
		c.listenLocked()
		c.tidyLocked()
	}
}

// listenLocked has the input taken again, if nothing else keeps it waiting.
func (c *Conn) listenLocked() {
	r := c.rare
	switch {
	case r.paused, r.full:
		return
	case r.hung:
		c.loop.post(c.teardown)
		return
	case r.left():
		c.loop.post(c.again)
	}
	c.unmuteLocked()
}

// mute takes the socket's readability off the loop's mind: epoll is level
// triggered, and the loop would spin on input that has to wait.
func (c *Conn) mute() {
	c.CheckLoop()
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rare
	if c.gone || r == nil || r.muted || r.hung || r.ending != open || !r.paused && !r.full {
		return
	}
	r.muted = true
	c.watchLocked()
}

func (c *Conn) unmuteLocked() {
	r := c.rare
	if !r.muted {
		return
	}
	r.muted = false
	c.watchLocked()
}

// teardown ends the connection, once it is watched no more. It still handles the
// peer's earlier bytes: pass by pass, so that other connections have their turns. It
// runs on the loop.
func (c *Conn) teardown() {
	c.CheckLoop()
	if c.handler == nil || !c.hangUp() {
		return
	}
	c.again()
	more := c.read(maxReads)
	switch a := c.appetite(); {
	case c.handler == nil: // what came last had it detached
		return
	case a == waits: // Unread, Resume or Kill calls teardown again
		return
	case a != drops && more:
		c.loop.post(c.teardown)
		return
	}
	reason := c.release()
	c.loop.poller.live.Add(-1)
	h := c.handler
	c.handler = nil
	c.loop.contain(func() { h.Closed(c, reason) })
}

// hangUp drops what waits to be sent, and lets nothing more be. It reports false
// if the connection is gone.
func (c *Conn) hangUp() bool {
	c.mu.Lock()
	if c.gone {
		c.mu.Unlock()
		return false
	}
	r := c.rareLocked()
	r.hung, r.full = true, false
	r.dropLocked(c.loop.poller, 0)
	held := r.held
	r.held = nil
	c.mu.Unlock()
	resume(held)
	return true
}

// last is where the last byte of b is, which tells two parts of the same buffer
// that reach to its end.
func last(b []byte) *byte { return unsafe.SliceData(b[len(b)-1:]) }
