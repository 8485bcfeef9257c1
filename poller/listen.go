package poller

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"

	"github.com/cloudwego/netpoll"
	"golang.org/x/sys/unix"
)

// acceptBatch is how many connections are accepted before the loop looks at
// the others again.
const acceptBatch = 128

// A Listener accepts connections for a Poller.
type Listener struct {
	poller *Poller
	loop   *loop // the one that accepts
	addr   net.Addr
	fd     int
	spare  int // a descriptor kept for when there are no more
	op     *netpoll.FDOperator
	open   func(*Conn) Handler
	warned time.Time // loop only: when refuse last logged
	closed sync.Once
}

// Listen accepts TCP connections at addr and spreads them over the loops. For
// each, open is called on its loop and returns the handler; nil refuses the
// connection, as does a panic. Close the Listener before the Poller.
func (p *Poller) Listen(addr string, open func(*Conn) Handler) (*Listener, error) {
	// KeepAlive: 15-second probes of a million sockets are a core's work
	// (heartbeats and idle timeouts find the dead).
	cfg := net.ListenConfig{KeepAlive: -1}
	cfg.SetMultipathTCP(false)
	ln, err := cfg.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	defer ln.Close() // the socket lives on in the duplicate
	tcp := ln.(*net.TCPListener)
	file, err := tcp.File()
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	defer file.Close()
	fd, err := unix.FcntlInt(file.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	spare, err := unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	l := &Listener{poller: p, loop: p.pick(), addr: ln.Addr(), fd: fd, spare: spare, open: open}
	if err := l.start(); err != nil {
		unix.Close(fd)
		unix.Close(spare)
		return nil, fmt.Errorf("listen on %s: %w", addr, err)
	}
	return l, nil
}

func (l *Listener) start() error {
	// Accepted sockets inherit these: no system calls for each.
	err := errors.Join(
		unix.SetNonblock(l.fd, true),
		unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1),
		unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, l.poller.sendBuffer),
	)
	if err != nil {
		return err
	}
	l.op = l.loop.poll.Alloc()
	l.op.FD = l.fd
	l.op.OnRead = l.accept
	if err := l.op.Control(netpoll.PollReadable); err != nil {
		l.op.Free()
		return err
	}
	return nil
}

// Addr is the address that is listened on, with the port in use.
func (l *Listener) Addr() net.Addr { return l.addr }

// Close stops accepting. Connections stay. It must not be called on a loop.
func (l *Listener) Close() {
	l.closed.Do(func() {
		_ = l.op.Control(netpoll.PollDetach)
		l.op.Free() // waits for an accept that is under way
		unix.Close(l.fd)
		unix.Close(l.spare)
	})
}

// accept takes the connections that wait.
func (l *Listener) accept(netpoll.Poll) error {
	for range acceptBatch {
		fd, errno := rawAccept(l.fd)
		switch errno {
		case 0:
			l.hand(fd)
		case syscall.EINTR, syscall.ECONNABORTED:
		case syscall.EMFILE, syscall.ENFILE:
			if !l.refuse() {
				return nil
			}
		default: // EAGAIN: none left
			return nil
		}
	}
	return nil
}

// hand gives an accepted socket to the next loop.
func (l *Listener) hand(fd int) {
	to := l.poller.pick()
	if to == l.loop {
		to.start(fd, l.open)
		return
	}
	if !to.post(func() { to.start(fd, l.open) }) {
		unix.Close(fd)
	}
}

// warnEvery is how often a Listener says that it has no descriptors.
const warnEvery = 10 * time.Second

// refuse closes one waiting connection with the help of the spare descriptor:
// left alone it would keep the listener readable and the loop spinning. It
// reports false if another thread took the descriptor meanwhile: then the loop
// does spin, though its connections have their turns, until one is free.
func (l *Listener) refuse() bool {
	if now := time.Now(); now.Sub(l.warned) > warnEvery {
		l.warned = now
		l.poller.log.Error("out of file descriptors: refusing connections", "fix", "raise the limit: ulimit -n, LimitNOFILE=, or docker --ulimit nofile=")
	}
	unix.Close(l.spare)
	fd, errno := rawAccept(l.fd)
	if errno == 0 {
		unix.Close(fd)
	}
	l.spare, _ = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // -1 if it fails: the next round tries again
	return errno == 0
}
