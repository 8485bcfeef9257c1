package poller

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Detach takes the connection off the event loop and returns it as an ordinary
// [net.Conn], a *[tls.Conn] if it has TLS, for code that reads and writes with
// goroutines. Its handler is not called again, not even Closed. On an error
// (ErrClosed, or no free descriptors) the connection stays. Loop only; nothing
// may be waiting to be sent.
func (c *Conn) Detach() (net.Conn, error) {
	c.CheckLoop()
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.rare; c.gone || r != nil && (len(r.queue) > 0 || r.rest != nil || r.paused || r.ending != open) {
		return nil, ErrClosed
	}
	fd := int(c.fd)
	ours, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	conn, err := connOf(ours)
	if err != nil {
		return nil, err
	}
	var layer *tlsLayer
	if c.rare != nil {
		layer = c.rare.tls
	}
	c.unwatchLocked()
	c.loop.set.remove(c)
	c.gone, c.rare, c.fd, c.handler = true, nil, -1, nil
	c.loop.poller.live.Add(-1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	unix.Close(fd) // the socket lives on in the duplicate
	if layer == nil {
		return conn, nil
	}
	layer.raw = conn
	return layer.conn, nil
}
