package phx

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roost-rt/roost/poller"
)

// localPeer is the address that those have who come from this host without one.
const localPeer = "127.0.0.1:0"

// listening is where an endpoint listens.
type listening struct {
	over chan struct{} // closed when no one else is let in

	mu      sync.Mutex // guards the rest
	stopped bool
	all     []*served
}

// A served is a listener whose connections come to the endpoint.
type served struct {
	addr   net.Addr
	close  func()       // may be called twice
	accept func() error // for a goroutine, until close; nil if another or the loop does it
}

// Serve serves the connections of ln until Shutdown, then closes ln and returns
// [http.ErrServerClosed]. It may be called for several listeners at the same
// time. The endpoint owns ln from then on, whether Serve fails or not. Any
// other error means that ln can yield no more connections.
//
// The event loop itself accepts from a *[net.TCPListener] or
// *[net.UnixListener], such as one from systemd. Any other listener may have
// connections that the loop cannot read: each costs two goroutines and three
// descriptors. This includes [tls.NewListener]; use [Config.TLS] to avoid it.
// Clients of a Unix socket count as 127.0.0.1, port 0, also for
// [Config.TrustedProxies].
func (ep *Endpoint) Serve(ln net.Listener) error {
	s, err := ep.listening.add(func() (*served, error) { return ep.listen(ln) })
	switch {
	case err != nil:
		ln.Close()
		return err
	case s.accept == nil:
		<-ep.listening.over
		return http.ErrServerClosed
	}
	defer ep.listening.remove(s)
	defer ln.Close()
	return s.accept()
}

// listenAt listens at an address as Config says.
func (ep *Endpoint) listenAt(addr string) error {
	path, unix := strings.CutPrefix(addr, "unix:")
	if _, _, err := net.SplitHostPort(addr); unix && path == "" || !unix && err != nil {
		return fmt.Errorf("phx: configuration: Addr is %q: want host:port, such as 127.0.0.1:4000 or :4000, or unix:/path/of.sock", addr)
	}
	_, err := ep.listening.add(func() (*served, error) {
		if unix {
			ln, err := net.Listen("unix", path)
			if err != nil {
				return nil, err
			}
			return ep.listen(ln)
		}
		at, _ := net.ResolveTCPAddr("tcp", addr) // the error is Listen's, too
		return ep.watched(ep.poller.Listen(addr, ep.acceptor(origin{loopback: at != nil && isLoopback(at)})))
	})
	return err
}

// listen begins to serve ln.
func (ep *Endpoint) listen(ln net.Listener) (*served, error) {
	var from origin
	switch ln.(type) {
	case *net.TCPListener:
		from.loopback = isLoopback(ln.Addr())
	case *net.UnixListener:
		from.remote = localPeer
	default:
		return &served{addr: ln.Addr(), close: func() { ln.Close() }, accept: func() error { return ep.acceptOn(ln) }}, nil
	}
	return ep.watched(ep.poller.AttachListener(ln, ep.acceptor(from)))
}

func (ep *Endpoint) acceptor(from origin) func(*poller.Conn) poller.Handler {
	return func(c *poller.Conn) poller.Handler { return ep.accept(c, from) }
}

// watched is the served of a listener that the loop watches.
func (ep *Endpoint) watched(l *poller.Listener, err error) (*served, error) {
	if err != nil {
		return nil, err
	}
	return &served{addr: l.Addr(), close: l.Close}, nil
}

// acceptOn accepts from a listener that the loop cannot watch.
func (ep *Endpoint) acceptOn(ln net.Listener) error {
	backoff := poller.Backoff{Log: ep.log}
	for {
		nc, err := ln.Accept()
		var errno syscall.Errno
		switch {
		case err == nil:
			backoff.Accepted()
			ep.take(nc, ln.Addr())
		case ep.draining.Load():
			return http.ErrServerClosed
		case !errors.As(err, &errno): // not the kernel's: it was closed, or will not recover
			return fmt.Errorf("serve %s: %w", ln.Addr(), err)
		default:
			select {
			case <-time.After(backoff.Failed(err)):
			case <-ep.listening.over:
			}
		}
	}
}

// take brings a connection that was accepted elsewhere, by a listener at at, to the
// loop. A listener that does not tell its IP address, as it may have several, or is of
// another kind, counts as being where the connection has come to.
func (ep *Endpoint) take(nc net.Conn, at net.Addr) {
	if _, ok := ipOf(at); !ok {
		at = nc.LocalAddr()
	}
	from := origin{remote: remoteOf(nc), loopback: isLoopback(at)}
	if c, ok := nc.(*tls.Conn); ok {
		from.https = true
		if !c.ConnectionState().HandshakeComplete {
			nc = unshaken{c}
		}
	}
	if err := ep.poller.Attach(nc, ep.acceptor(from)); err != nil {
		ep.log.Warn("connection refused", "remote", from.remote, "err", err)
	}
}

// remoteOf is where a connection comes from, which is this host if it has no
// internet address.
func remoteOf(nc net.Conn) string {
	addr := nc.RemoteAddr()
	if addr == nil {
		return localPeer
	}
	if _, err := netip.ParseAddrPort(addr.String()); err != nil {
		return localPeer
	}
	return addr.String()
}

// Addr returns the address that the endpoint listens on: the first one if there
// are several, or nil if it does not listen.
func (ep *Endpoint) Addr() net.Addr {
	ep.listening.mu.Lock()
	defer ep.listening.mu.Unlock()
	if len(ep.listening.all) == 0 {
		return nil
	}
	return ep.listening.all[0].addr
}

// add begins to serve a listener, unless it is too late.
func (l *listening) add(begin func() (*served, error)) (*served, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.stopped {
		return nil, http.ErrServerClosed
	}
	s, err := begin()
	if err == nil {
		l.all = append(l.all, s)
	}
	return s, err
}

// remove forgets a listener that has ended by itself.
func (l *listening) remove(s *served) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = slices.DeleteFunc(l.all, func(other *served) bool { return other == s })
}

// stop lets no one else in. It may be called twice.
func (l *listening) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.stopped {
		l.stopped = true
		close(l.over)
	}
	for _, s := range l.all {
		s.close()
	}
}
