package phx

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"
)

// An httpServer is net/http's server for the connections that turned out not to
// be sockets.
type httpServer struct {
	server   http.Server
	places   *places
	patience time.Duration // Config.WriteTimeout
	conns    connQueue
	done     sync.WaitGroup
}

func newHTTPServer(ep *Endpoint) *httpServer {
	cfg := ep.cfg
	h := &httpServer{places: newPlaces(cfg.MaxHTTP), patience: cmp.Or(cfg.WriteTimeout, 10*time.Second)}
	h.server = http.Server{
		Handler:           http.HandlerFunc(ep.handleHTTP),
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(context.Background(), endpointKey{}, ep) },
		ReadHeaderTimeout: cfg.HandshakeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHead,
		ConnContext:       func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState:         h.changed,
		ErrorLog:          log.New(httpErrors{cfg.Logger}, "", 0),
	}
	h.conns = connQueue{conns: make(chan net.Conn, cfg.MaxHTTP), closed: make(chan struct{})}
	h.done.Go(func() { // ends with Shutdown, which waits for it
		if err := h.server.Serve(&h.conns); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("HTTP server ended", "err", err)
		}
	})
	return h
}

// changed is told what becomes of a connection.
func (h *httpServer) changed(c net.Conn, state http.ConnState) {
	switch d := c.(*detached); state {
	case http.StateIdle:
		h.places.end(d)
	case http.StateHijacked:
		d.hijacked.Store(true)
	}
}

// An endpointKey is a key in the context of the HTTP handler's requests.
type endpointKey struct{}

// A connKey is likewise, for the *detached that a request came over.
type connKey struct{}

// EndpointOf returns the endpoint whose [Config.HTTP] handles r, or nil if none
// does.
func EndpointOf(r *http.Request) *Endpoint {
	ep, _ := r.Context().Value(endpointKey{}).(*Endpoint)
	return ep
}

// handleHTTP is the HTTP server's handler.
func (ep *Endpoint) handleHTTP(w http.ResponseWriter, r *http.Request) {
	if ep.isReady(r.URL.EscapedPath()) {
		ep.serveReady(w, r)
		return
	}
	d := r.Context().Value(connKey{}).(*detached)
	if ep.hosts.ask(d.origin.loopback) && !ep.allowsHost(r.Host) {
		misdirect(w)
		return
	}
	remote := ep.proxies.clientOf(r.RemoteAddr, r.Header[ep.proxies.header])
	v := visit{remote, r.Method, r.URL.Path, time.Now()}
	if !ep.http.places.begin(d, ep.householdOf(remote), v) {
		refuse(w, http.StatusServiceUnavailable)
		return
	}
	r.TLS = d.tls()
	r, done := ep.timed(w, r, d)
	defer done()
	if e, _ := ep.entrances.find([]byte(r.URL.EscapedPath())); e != nil {
		ep.reenter(w, r, e)
		return
	}
	ep.fallback(w, r)
}

// fallback answers a request that is for no mount.
func (ep *Endpoint) fallback(w http.ResponseWriter, r *http.Request) {
	r.RemoteAddr = ep.proxies.clientOf(r.RemoteAddr, r.Header[ep.proxies.header])
	ep.cfg.HTTP.ServeHTTP(w, r)
}

// refuse answers a request whose body is not waited for, and ends the connection.
func refuse(w http.ResponseWriter, status int) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // fails only when closed
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
}

// Shutdown ends the server when its requests are done or ctx is. Handlers that still
// run then lose their connections and are left to themselves, also hijacked ones.
func (h *httpServer) Shutdown(ctx context.Context) error {
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(h.places.stillBusy(err), h.server.Close())
	}
	h.conns.Close() // in case Serve had not got hold of it yet
	h.done.Wait()
	h.places.close() // what Serve had not come to, and what is hijacked
	return err
}

// enter takes a place for a connection that the loop still has. It returns nil if
// no place is left for the client.
func (h *httpServer) enter(from *requests, client netip.Addr, read []byte) *detached {
	d := &detached{origin: from.origin, visitor: from.visitor, read: read}
	d.patience.Store(int64(h.patience))
	d.release = sync.OnceFunc(func() { h.places.leave(d); d.visitor.leave() })
	if !h.places.enter(d, client) {
		return nil
	}
	return d
}

// serve queues a connection that has a place.
func (h *httpServer) serve(d *detached) { h.conns.conns <- d } // never full: there are as many places

// A connQueue is a net.Listener that accepts what is put in it.
type connQueue struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (q *connQueue) Accept() (net.Conn, error) {
	select {
	case c := <-q.conns:
		return c, nil
	case <-q.closed:
		return nil, net.ErrClosed
	}
}

func (q *connQueue) Close() error {
	q.once.Do(func() { close(q.closed) })
	return nil
}

func (q *connQueue) Addr() net.Addr { return &net.TCPAddr{} }
