package poller

import (
	"context"
	"fmt"
	"net"
	"os"
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
	path   net.Listener // a Unix socket's, whose Close removes its file; or nil
	fd     int
	open   func(*Conn) Handler
	take   accepter

	spare   int     // loop only: a descriptor kept for when there are no more
	backoff Backoff // loop only

	mu     sync.Mutex          // guards the rest
	op     *netpoll.FDOperator // nil while it pauses and when it is closed
	rest   *time.Timer         // of the last pause, or nil
	closed bool
}

// An accepter is accept4(2) without waiting.
type accepter func(fd int) (int, syscall.Errno)

// Listen accepts TCP connections at addr and spreads them over the loops. For
// each, open is called on its loop and returns the handler; nil refuses the
// connection, as does a panic. Close the Listener before the Poller.
func (p *Poller) Listen(addr string, open func(*Conn) Handler) (*Listener, error) {
	return p.listen(addr, open, rawAccept)
}

func (p *Poller) listen(addr string, open func(*Conn) Handler, accept accepter) (*Listener, error) {
	// KeepAlive: 15-second probes of a million sockets are a core's work
	// (heartbeats and idle timeouts find the dead).
	cfg := net.ListenConfig{KeepAlive: -1}
	cfg.SetMultipathTCP(false)
	ln, err := cfg.Listen(context.Background(), "tcp", addr)
	if err != nil {
		return nil, err
	}
	return p.attachListener(ln, open, accept)
}

// AttachListener is Listen for a TCP or Unix listener of package net, which the
// Poller owns from then on, whether it fails or not. Others have no socket that
// a loop could watch: [net.UnknownNetworkError].
func (p *Poller) AttachListener(ln net.Listener, open func(*Conn) Handler) (*Listener, error) {
	return p.attachListener(ln, open, rawAccept)
}

func (p *Poller) attachListener(ln net.Listener, open func(*Conn) Handler, accept accepter) (_ *Listener, err error) {
	l := &Listener{poller: p, loop: p.pick(), addr: ln.Addr(), fd: -1, spare: -1, open: open, take: accept, backoff: Backoff{Log: p.log}}
	if _, unix := ln.(*net.UnixListener); unix {
		l.path = ln
	} else {
		defer ln.Close() // the socket lives on in the duplicate
	}
	defer func() {
		if err != nil {
			l.release()
			err = fmt.Errorf("listen on %s: %w", l.addr, err)
		}
	}()
	switch ln := ln.(type) {
	case *net.TCPListener:
		l.fd, err = duplicate(ln)
	case *net.UnixListener:
		l.fd, err = duplicate(ln)
	default:
		err = net.UnknownNetworkError(fmt.Sprintf("%T", ln))
	}
	if err != nil {
		return nil, err
	}
	if l.spare, err = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
		return nil, err
	}
	if err = l.start(); err != nil {
		return nil, err
	}
	return l, nil
}

func (l *Listener) start() error {
	// Accepted sockets inherit these: no system calls for each.
	err := unix.SetsockoptInt(l.fd, unix.SOL_SOCKET, unix.SO_SNDBUF, l.poller.sendBuffer)
	if _, tcp := l.addr.(*net.TCPAddr); tcp && err == nil {
		err = unix.SetsockoptInt(l.fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	}
	if err != nil {
		return os.NewSyscallError("setsockopt", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.watchLocked()
}

// watchLocked puts the listener on its loop.
func (l *Listener) watchLocked() error {
	op := l.loop.set.poll.Alloc()
	op.FD = l.fd
	op.OnRead = l.accept
	if err := op.Control(netpoll.PollReadable); err != nil {
		op.Free()
		return err
	}
	l.op = op
	return nil
}

// Addr returns the address of the listener, with the port in use.
func (l *Listener) Addr() net.Addr { return l.addr }

// Close stops accepting. Connections stay. It must not be called on a loop.
func (l *Listener) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	op := l.op
	l.op = nil
	if l.rest != nil {
		l.rest.Stop()
	}
	l.mu.Unlock()
	if op != nil {
		_ = op.Control(netpoll.PollDetach)
		op.Free() // waits for an accept that is under way
	}
	l.release()
}

// release closes what the listener has open.
func (l *Listener) release() {
	unix.Close(l.fd)
	unix.Close(l.spare)
	if l.path != nil {
		l.path.Close()
	}
}

// accept takes the connections that wait.
func (l *Listener) accept(netpoll.Poll) error {
	l.loop.enter()
	l.loop.meter.begin()
	defer l.loop.meter.end()
	for range acceptBatch {
		fd, errno := l.take(l.fd)
		if errno == 0 {
			l.backoff.Accepted()
			l.hand(fd)
			continue
		}
		if errno == syscall.EMFILE || errno == syscall.ENFILE { // said even when no connection waits
			errno = l.refuse(errno)
		}
		switch errno {
		case 0: // refused
		case syscall.EAGAIN: // none left
			return nil
		default:
			if pause := l.backoff.Failed(errno); pause > 0 {
				l.pause(pause)
				return nil
			}
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

// refuse closes one waiting connection with the help of the spare descriptor:
// left alone it would keep the listener readable. It returns what accept did: that
// there are no descriptors if another thread took the spare one meanwhile.
func (l *Listener) refuse(why syscall.Errno) syscall.Errno {
	l.backoff.warn(why)
	unix.Close(l.spare)
	fd, errno := l.take(l.fd)
	if errno == 0 {
		unix.Close(fd)
	}
	l.spare, _ = unix.Open("/dev/null", unix.O_RDONLY|unix.O_CLOEXEC, 0) // -1 if it fails: the next round tries again
	return errno
}

// pause takes the listener off its loop for a while: connections that wait would
// keep the loop spinning. netpoll detaches an operator once, so each watch has a
// new one. Loop only, in accept.
func (l *Listener) pause(d time.Duration) {
	l.loop.check()
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	_ = l.op.Control(netpoll.PollDetach)
	l.loop.post(l.op.Free) // not here: the operator is in use below us
	l.op = nil
	l.rest = time.AfterFunc(d, l.resume)
}

// resume ends a pause.
func (l *Listener) resume() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if err := l.watchLocked(); err != nil { // out of memory, too
		l.rest = time.AfterFunc(maxPause, l.resume)
	}
}
