package phx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
)

// workers is the pool that callbacks run on.
type workers = poller.Pool

// An Endpoint is a running server.
type Endpoint struct {
	cfg       Config
	log       *slog.Logger
	entrances entrances
	codecs    map[codecKey]*codec

	poller   *poller.Poller
	listener *poller.Listener // nil with TLS, or without an address
	secure   *tlsListener     // nil without TLS
	workers  *workers         // callbacks: they may block
	fanOut   *poller.Pool     // broadcasts: they never do, and must not wait for those that do
	pubsub   *pubsub.PubSub
	http     *httpServer
	draining atomic.Bool

	stopped sync.Once
	stopErr error // of the first Shutdown
}

// Start starts an endpoint. Shutdown stops it.
func Start(cfg Config) (*Endpoint, error) {
	if err := cfg.check(); err != nil {
		return nil, fmt.Errorf("phx: configuration: %w", err)
	}
	ep := &Endpoint{cfg: cfg, log: cfg.Logger, codecs: make(map[codecKey]*codec)}
	ep.entrances = newEntrances(ep, cfg.Mounts)
	if err := ep.start(); err != nil {
		return nil, errors.Join(err, ep.stop(context.Background()))
	}
	return ep, nil
}

func (ep *Endpoint) start() (err error) {
	cfg := ep.cfg
	if ep.workers, err = poller.NewPool(cfg.Workers, cfg.Logger); err != nil {
		return err
	}
	if ep.fanOut, err = poller.NewPool(runtime.GOMAXPROCS(0), cfg.Logger); err != nil {
		return err
	}
	ep.pubsub = pubsub.New(pubsub.Config{MaxPending: cfg.MaxPending}, ep.fanOut)
	ep.poller, err = poller.New(poller.Config{Loops: cfg.Loops, OutboundMax: cfg.OutboundMax, SendBuffer: cfg.SendBuffer, Logger: cfg.Logger})
	if err != nil {
		return err
	}
	ep.http = newHTTPServer(ep)
	switch {
	case cfg.Addr == Off:
	case cfg.TLS != nil:
		ep.secure, err = listenTLS(ep, cfg.Addr, cfg.TLS)
	default:
		ep.listener, err = ep.poller.Listen(cfg.Addr, ep.accept)
	}
	return err
}

// accept takes a new connection. Loop only.
func (ep *Endpoint) accept(c *poller.Conn) poller.Handler {
	return ep.acceptFrom(c, origin{})
}

func (ep *Endpoint) acceptFrom(c *poller.Conn, from origin) poller.Handler {
	c.SetDeadline(ep.cfg.HandshakeTimeout)
	return &requests{endpoint: ep, origin: from}
}

// Addr is the address that the endpoint listens on, nil if it listens nowhere.
func (ep *Endpoint) Addr() net.Addr {
	switch {
	case ep.listener != nil:
		return ep.listener.Addr()
	case ep.secure != nil:
		return ep.secure.Addr()
	}
	return nil
}

// Dial connects to the endpoint without a network. It is for tests, and for
// clients in the same process; over it goes what would go over TCP.
func (ep *Endpoint) Dial() (net.Conn, error) {
	return ep.poller.Pipe(func(c *poller.Conn) poller.Handler {
		return ep.acceptFrom(c, origin{remote: "127.0.0.1:0"})
	})
}

// stopListening lets nobody else in. It may be called twice.
func (ep *Endpoint) stopListening() {
	if ep.listener != nil {
		ep.listener.Close()
	}
	if ep.secure != nil {
		ep.secure.Close()
	}
}

// Stats are counts of an endpoint at one moment.
type Stats struct {
	Connections   int // open TCP connections, those in the handshake included
	Sockets       int // upgraded ones
	Channels      int // joined or joining
	SlowConsumers int // connections closed so far because they did not read
}

// Stats counts. It visits every connection: once a second is fine, always is
// not.
func (ep *Endpoint) Stats() Stats {
	st := Stats{Connections: ep.poller.Conns(), SlowConsumers: ep.poller.SlowConsumers()}
	var sockets, channels atomic.Int64
	ep.poller.Each(func(c *poller.Conn) {
		if s, ok := c.Handler().(*Socket); ok {
			s.mu.Lock()
			channels.Add(int64(len(s.channels)))
			s.mu.Unlock()
			sockets.Add(1)
		}
	})
	st.Sockets, st.Channels = int(sockets.Load()), int(channels.Load())
	return st
}

// Subscribers is how many channels have joined a topic.
func (ep *Endpoint) Subscribers(topic string) int { return ep.pubsub.Subscribers(topic) }

// Shutdown stops accepting, closes the sockets with 1012, "service restart", so
// that their clients come back to whoever follows, and stops when all are gone
// or ctx is done. It returns ctx's error in that case. Calls after the first
// wait for it and return what it returned.
func (ep *Endpoint) Shutdown(ctx context.Context) error {
	ep.stopped.Do(func() { ep.stopErr = ep.shutdown(ctx) })
	return ep.stopErr
}

func (ep *Endpoint) shutdown(ctx context.Context) error {
	ep.draining.Store(true)
	ep.stopListening()
	ep.poller.Each(func(c *poller.Conn) {
		switch h := c.Handler().(type) {
		case *Socket:
			h.close(ws.StatusCode(1012), "", Draining)
		case *requests:
			c.Kill(poller.ErrStopped)
		}
	})
	for ep.poller.Conns() > 0 {
		select {
		case <-ctx.Done():
			return errors.Join(ctx.Err(), ep.stop(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
	return ep.stop(ctx)
}

// stop is the reverse of Start.
func (ep *Endpoint) stop(ctx context.Context) error {
	var errs []error
	ep.stopListening()
	if ep.http != nil {
		errs = append(errs, ep.http.Shutdown(ctx))
	}
	if ep.poller != nil {
		ep.poller.Close()
	}
	if ep.secure != nil {
		ep.secure.wait()
	}
	for _, pool := range []*poller.Pool{ep.workers, ep.fanOut} {
		if pool != nil {
			errs = append(errs, pool.Close(5*time.Second))
		}
	}
	return errors.Join(errs...)
}

// serveHTTP gives a connection to the HTTP handler, with what was read of it.
// Loop only.
func (ep *Endpoint) serveHTTP(c *poller.Conn, from origin, read []byte) {
	if !ep.http.reserve() {
		answer(c, http.StatusServiceUnavailable, "")
		return
	}
	conn, err := c.Detach()
	if err != nil {
		ep.http.release()
		return
	}
	ep.http.serve(conn, from, read)
}
