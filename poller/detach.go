package poller

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Detach takes the connection off the event loop and returns it as an ordinary
// net.Conn for code that reads and writes with goroutines, a *tls.Conn if it has
// TLS. Its handler hears no more of it, not even Closed. Loop only; nothing may be
// waiting to be sent.
func (c *Conn) Detach() (net.Conn, error) {
	c.CheckLoop()
	c.mu.Lock()
	if r := c.rare; c.gone || r != nil && (len(r.queue) > 0 || r.rest != nil || r.paused || r.ending != open) {
		c.mu.Unlock()
		return nil, ErrClosed
	}
	var layer *tlsLayer
	if c.rare != nil {
		layer = c.rare.tls
	}
	c.unwatchLocked()
	c.loop.set.remove(c)
	fd := int(c.fd)
	c.gone, c.rare, c.fd, c.handler = true, nil, -1, nil
	c.mu.Unlock()

	c.loop.poller.live.Add(-1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	file := os.NewFile(uintptr(fd), "")
	defer file.Close() // net.FileConn has its own duplicate
	conn, err := net.FileConn(file)
	if err != nil || layer == nil {
		return conn, err
	}
	layer.raw = conn
	return layer.conn, nil
}
