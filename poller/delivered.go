package poller

import "golang.org/x/sys/unix"

// Delivered reports whether the peer has confirmed all bytes sent, by TCP's
// acknowledgement: they have reached its host, if not its program. Once the
// connection has ended it reports the state at the end.
func (c *Conn) Delivered() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.gone {
		c.noteLossLocked()
	}
	return !c.lossy
}

// noteLossLocked finds out whether something that was sent has not arrived.
func (c *Conn) noteLossLocked() {
	if c.lossy = c.rare != nil && (len(c.rare.queue) > 0 || c.rare.dropped); c.lossy {
		return
	}
	fin := 0
	if c.rare != nil && c.rare.ending != open {
		fin = 1 // counts for a byte
	}
	n, err := unix.IoctlGetInt(int(c.fd), unix.SIOCOUTQ) // fails only for what is no socket
	c.lossy = err == nil && n > fin
}
