package poller

import (
	"crypto/tls"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// Pipe connects to open's handler without a network, through a pair of Unix
// sockets, and returns the client's end. open is called as Listen's is, and not if
// there is an error.
func (p *Poller) Pipe(open func(*Conn) Handler) (net.Conn, error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, os.NewSyscallError("socketpair", err)
	}
	client, err := connOf(fds[1]) // first: there may be no descriptor for it
	if err != nil {
		unix.Close(fds[0])
		return nil, err
	}
	if err := p.adopt(fds[0], open); err != nil {
		client.Close()
		return nil, err
	}
	return client, nil
}

// connOf is a socket as package net has it, which is fd's owner from then on,
// whatever comes of it.
func connOf(fd int) (net.Conn, error) {
	file := os.NewFile(uintptr(fd), "")
	defer file.Close() // net.FileConn has its own duplicate
	return net.FileConn(file)
}

// Attach is the reverse of [Conn.Detach]: the event loop takes over a
// connection of package net, which must not be used any more, whether Attach
// fails or not. open is called as Listen's is.
//
// A *[net.TCPConn] or *[net.UnixConn] becomes like one that the loop accepted,
// and so does a *[tls.Conn] on one once its handshake is done. Any other has
// bytes that the loop cannot read itself: it costs two goroutines and two more
// descriptors; see carry.
func (p *Poller) Attach(nc net.Conn, open func(*Conn) Handler) error {
	if conn, ok := nc.(*tls.Conn); ok {
		if layer, raw, ok := graft(conn); ok {
			nc, open = raw, layer.below(open)
		}
	}
	var fd int
	var err error
	switch nc := nc.(type) { // exactly these: a wrapper may promote File, too
	case *net.TCPConn:
		fd, err = duplicate(nc)
	case *net.UnixConn:
		fd, err = duplicate(nc)
	default:
		return p.carry(nc, open)
	}
	defer nc.Close() // the socket lives on in the duplicate
	if err != nil {
		return err
	}
	// As those that Listen's socket hands down. No matter if it fails.
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, p.sendBuffer)
	return p.adopt(fd, open)
}

// duplicate returns a non-blocking descriptor of a socket of package net's.
func duplicate(of interface{ File() (*os.File, error) }) (fd int, err error) {
	file, err := of.File()
	if err != nil {
		return -1, err
	}
	defer file.Close() // File's own duplicate is package os's, and closed with it
	if fd, err = unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0); err != nil {
		return -1, os.NewSyscallError("fcntl", err)
	}
	if err = unix.SetNonblock(fd, true); err != nil { // Fd made it blocking
		unix.Close(fd)
		return -1, os.NewSyscallError("fcntl", err)
	}
	return fd, nil
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
