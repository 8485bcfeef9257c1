package poller

import (
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe connects to open's handler without a network, through a pair of Unix
// sockets, and returns the client's end. open is called as Listen's is.
func (p *Poller) Pipe(open func(*Conn) Handler) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	if err := p.adopt(fds[0], open); err != nil {
		unix.Close(fds[1])
		return nil, err
	}
	file := os.NewFile(uintptr(fds[1]), "pipe")
	defer file.Close() // net.FileConn has its own duplicate
	return net.FileConn(file)
}

// Attach is the reverse of Conn.Detach: the event loop takes over a connection
// of package net's, which must not be used any more, whatever comes of it. open
// is called as Listen's is.
func (p *Poller) Attach(nc net.Conn, open func(*Conn) Handler) error {
	defer nc.Close() // the socket lives on in the duplicate
	f, ok := nc.(interface{ File() (*os.File, error) })
	if !ok {
		return net.UnknownNetworkError(nc.LocalAddr().Network())
	}
	file, err := f.File()
	if err != nil {
		return err
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	// Not for a Unix socket, and no matter if it fails: see Listen.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	if err := unix.SetNonblock(fd, true); err != nil { // File made it blocking
		unix.Close(fd)
		return os.NewSyscallError("fcntl", err)
	}
	return p.adopt(fd, open)
}

// adopt gives a non-blocking socket to a loop.
func (p *Poller) adopt(fd int, open func(*Conn) Handler) error {
	l := p.pick()
	if !l.post(func() { l.start(fd, open) }) {
		unix.Close(fd)
		return ErrStopped
	}
	return nil
}
