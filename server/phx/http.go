package phx

import (
	"cmp"
	"context"
	"errors"
	"log"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// An httpServer is net/http's server for the connections that turned out not to
// be sockets.
type httpServer struct {
	server   http.Server
	max      int64
	patience time.Duration // Config.WriteTimeout
	open     atomic.Int64
	conns    connQueue
	done     sync.WaitGroup
}

func newHTTPServer(ep *Endpoint) *httpServer {
	cfg := ep.cfg
	h := &httpServer{max: int64(cfg.MaxHTTP), patience: cmp.Or(cfg.WriteTimeout, 10*time.Second)}
	h.server = http.Server{
		Handler:           http.HandlerFunc(ep.handleHTTP),
		BaseContext:       func(net.Listener) context.Context { return context.WithValue(context.Background(), endpointKey{}, ep) },
		ReadHeaderTimeout: cfg.HandshakeTimeout,
		IdleTimeout:       time.Minute,
		MaxHeaderBytes:    maxHead,
		ConnState: func(c net.Conn, state http.ConnState) {
			if state == http.StateHijacked {
				c.(*detached).hijacked.Store(true)
			}
		},
		ErrorLog: log.New(httpErrors{cfg.Logger}, "", 0),
	}
	h.conns = connQueue{conns: make(chan net.Conn, cfg.MaxHTTP), closed: make(chan struct{})}
	h.done.Go(func() { // ends with Shutdown, which waits for it
		if err := h.server.Serve(&h.conns); !errors.Is(err, http.ErrServerClosed) {
			cfg.Logger.Error("HTTP server ended", "err", err)
		}
	})
	return h
}

// An endpointKey is a key in the context of the HTTP handler's requests.
type endpointKey struct{}

// EndpointOf is the endpoint whose Config.HTTP handles r; nil if none does.
func EndpointOf(r *http.Request) *Endpoint {
	ep, _ := r.Context().Value(endpointKey{}).(*Endpoint)
	return ep
}

// handleHTTP is the HTTP server's handler.
func (ep *Endpoint) handleHTTP(w http.ResponseWriter, r *http.Request) {
	r, done := ep.timed(w, r)
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

// refuse answers a request whose body is not waited for.
func refuse(w http.ResponseWriter, status int) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Now()) // fails only when closed
	w.Header().Set("Connection", "close")
	w.WriteHeader(status)
}

// Shutdown ends the server when its requests are done or ctx is.
func (h *httpServer) Shutdown(ctx context.Context) error {
	err := h.server.Shutdown(ctx)
	if err != nil {
		err = errors.Join(err, h.server.Close())
	}
	h.conns.Close() // in case Serve had not got hold of it yet
	h.done.Wait()
	for {
		select {
		case c := <-h.conns.conns: // Serve had not come to it
			c.Close()
		default:
			return err
		}
	}
}

// reserve makes room for one connection, or reports that there is none.
func (h *httpServer) reserve() bool {
	if h.open.Add(1) > h.max {
		h.open.Add(-1)
		return false
	}
	return true
}

func (h *httpServer) release() { h.open.Add(-1) }

// serve queues a connection for which room was reserved.
func (h *httpServer) serve(c net.Conn, from *requests, read []byte) {
	v := from.visitor
	release := sync.OnceFunc(func() { h.release(); v.leave() })
	h.conns.conns <- &detached{Conn: c, origin: from.origin, visitor: v, read: read, patience: h.patience, release: release} // never full: there was room
}

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
