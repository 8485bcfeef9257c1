package phx

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A tlsListener ends TLS in front of the event loop, as a proxy would: each
// connection has two goroutines that carry bytes to and from a pipe.
type tlsListener struct {
	net.Listener
	endpoint *Endpoint
	config   *tls.Config
	running  sync.WaitGroup  // all goroutines
	stopping context.Context // done when connections are to end
	stop     context.CancelFunc
}

// tlsPatience is how long a client may take to read what was written to it.
const tlsPatience = 30 * time.Second

func serveTLS(ep *Endpoint, ln net.Listener, config *tls.Config) *tlsListener {
	l := &tlsListener{Listener: ln, endpoint: ep, config: config}
	l.stopping, l.stop = context.WithCancel(context.Background())
	l.running.Go(l.accept) // ends with Close
	return l
}

func (l *tlsListener) accept() {
	backoff := poller.Backoff{Log: l.endpoint.log}
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // no descriptors: others must close first
			select {
			case <-time.After(backoff.Failed(err)):
			case <-l.stopping.Done():
			}
		default:
			backoff.Accepted()
			l.running.Go(func() { l.serve(c) }) // ends with the connection, which ends with the pipe
		}
	}
}

// serve carries one connection to the event loop.
func (l *tlsListener) serve(raw net.Conn) {
	defer raw.Close()
	defer context.AfterFunc(l.stopping, func() { _ = raw.SetDeadline(time.Now().Add(time.Second)) })()
	_ = raw.SetDeadline(time.Now().Add(l.endpoint.cfg.HandshakeTimeout)) // fails only when closed
	peer, err := l.admit(raw)
	if err != nil {
		l.endpoint.log.Debug("TLS connection refused", "remote", raw.RemoteAddr().String(), "err", err)
		return
	}
	v, ok := l.endpoint.enter(peer.Addr())
	if !ok {
		return
	}
	defer v.leave()
	c := tls.Server(raw, l.config)
	if err := c.Handshake(); err != nil {
		l.endpoint.log.Debug("TLS handshake", "remote", raw.RemoteAddr().String(), "err", err)
		return
	}
	_ = c.SetDeadline(time.Time{})
	from := origin{remote: peer.String(), https: true}
	pipe, err := l.endpoint.poller.Pipe(func(pc *poller.Conn) poller.Handler {
		return handlerOrNil(l.endpoint.acceptFrom(pc, from))
	})
	if err != nil {
		l.endpoint.log.Warn("TLS connection refused", "err", err)
		return
	}
	defer pipe.Close()
	var out sync.WaitGroup
	out.Go(func() { // ends when the event loop closes its end, or the client is gone
		if _, err := io.Copy(patient{c, l}, pipe); err != nil {
			raw.Close()
			return
		}
		_ = c.CloseWrite()
		_ = raw.SetReadDeadline(time.Now().Add(5 * time.Second)) // as poller.Config.Linger
	})
	_, _ = io.Copy(pipe, c)
	pipe.Close() // the client is gone: nobody reads what may wait
	out.Wait()
}

// admit decides on a connection and finds out where it comes from.
func (l *tlsListener) admit(raw net.Conn) (netip.AddrPort, error) {
	ep := l.endpoint
	if !ep.admission.admits(ep.conns()) {
		return netip.AddrPort{}, errFull
	}
	peer, err := netip.ParseAddrPort(remoteOf(raw))
	if err != nil {
		return peer, err
	}
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	if !ep.cfg.ProxyProtocol || !ep.proxies.trust(peer.Addr()) {
		return peer, nil
	}
	from, err := readProxy(raw)
	if err == nil && from.IsValid() {
		peer = from
	}
	return peer, err
}

// patient writes with a limit of time, lest a client that does not read holds a
// goroutine when its connection has long ended.
type patient struct {
	net.Conn
	listener *tlsListener
}

func (p patient) Write(b []byte) (int, error) {
	if p.listener.stopping.Err() == nil {
		_ = p.Conn.SetWriteDeadline(time.Now().Add(tlsPatience))
	}
	return p.Conn.Write(b)
}

// wait ends the connections, which the event loop has let go of, and returns
// when they have ended.
func (l *tlsListener) wait() {
	l.stop()
	l.running.Wait()
}
