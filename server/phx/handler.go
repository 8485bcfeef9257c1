package phx

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"time"

	"github.com/roost-rt/roost/poller"
)

// ServeHTTP answers a request that another server has read: an endpoint is an
// [http.Handler], for use with New and without Serve. A mount at "/socket"
// needs all paths below it:
//
//	http.NewServeMux().Handle("/socket/", ep) // net/http
//	chi.NewRouter().Handle("/socket/*", ep)   // chi
//
// Mounts are found by r.URL.Path: below [http.StripPrefix] that is the rest of
// the path; below chi's Mount, which leaves it unchanged, the whole path.
// [Config.ReadyPath] is found likewise. Any other request goes to
// [Config.HTTP], without the limits that apply to the endpoint's own
// connections.
//
// A WebSocket's connection is hijacked and then belongs to the event loop, like
// a connection that the endpoint accepted: the limits of [Config] count it, and
// only Shutdown ends it, because [http.Server.Shutdown] does not know it. So
// call both. It costs no goroutine if it is a *[net.TCPConn], a *[net.UnixConn]
// or a *[tls.Conn] on one of them; any other costs two goroutines and three
// descriptors. Hijacking needs HTTP/1.1; in other versions the answer is 505
// (WebSocket over HTTP/2, RFC 8441, is not supported), but browsers connect by
// 1.1 if the server also offers that. It also needs a ResponseWriter that has
// Hijack or unwraps to one that has; see [http.ResponseController].
// [http.TimeoutHandler] has none.
//
// A long-polling request, by any version of HTTP, holds its goroutine and two
// descriptors until it is answered. The server's ReadTimeout applies until the
// request has arrived, WriteTimeout from its answer on. Below a ResponseWriter
// that cannot set deadlines, an answer waits for the body even if the body
// arrives too slowly or has no session; the log reports it.
//
// Connect gets r as middleware has left it, with its context, RemoteAddr and
// path, and ServeHTTP does not return before Connect does.
func (ep *Endpoint) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := r.URL.EscapedPath()
	e, _ := ep.entrances.find([]byte(path))
	switch {
	case ep.isReady(path):
		ep.serveReady(w, r)
	case ep.hosts.ask(atLoopback(r)) && !ep.allowsHost(r.Host):
		misdirect(w)
	case e == nil:
		ep.fallback(w, r.WithContext(context.WithValue(r.Context(), endpointKey{}, ep)))
	case ep.draining.Load():
		tryLater(w)
	case e.kind == overLongPoll:
		ep.forward(w, r)
	case r.ProtoMajor != 1 || r.ProtoMinor == 0:
		http.Error(w, "WebSocket connects by HTTP/1.1 here: the server must offer it beside "+r.Proto, http.StatusHTTPVersionNotSupported)
	case r.Method != http.MethodGet, r.ContentLength != 0:
		http.Error(w, "WebSocket begins with a GET without a body", http.StatusBadRequest)
	default:
		ep.hijack(w, r)
	}
}

// atLoopback reports whether r has come to a loopback address of a server whose Addr
// does not say that it listens at all addresses. A server that was given a listener
// cannot be asked where it listens, whichever kind it is.
func atLoopback(r *http.Request) bool {
	at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr)
	if !ok || !isLoopback(at) {
		return false
	}
	server, ok := r.Context().Value(http.ServerContextKey).(*http.Server)
	return !ok || !isEverywhere(server.Addr)
}

// tryLater refuses a request as refuseEarly does a connection.
func tryLater(w http.ResponseWriter) {
	w.Header().Set("Retry-After", "1")
	w.WriteHeader(http.StatusServiceUnavailable)
}

// A host is another server that has read a request.
type host struct {
	request chan *http.Request // holds it while it is not in use; closed when it has ended
	over    func()             // says that the connection does not need it any more
}

// hostOf is where the origin of r is told, and what it has for Connect.
func hostOf(r *http.Request, over func()) (origin, *host) {
	h := &host{make(chan *http.Request, 1), sync.OnceFunc(over)}
	h.request <- r
	from := origin{remote: r.RemoteAddr, https: r.TLS != nil}
	if _, err := netip.ParseAddrPort(r.RemoteAddr); err == nil {
		return from, h
	}
	if addr, err := netip.ParseAddr(r.RemoteAddr); err == nil { // of middleware that drops the port
		from.remote = netip.AddrPortFrom(addr, 0).String()
	} else if at, ok := r.Context().Value(http.LocalAddrContextKey).(net.Addr); ok && at.Network() == "unix" {
		from.remote = localPeer // see Serve
	}
	return from, h
}

// end takes the request back from whoever has it.
func (h *host) end() {
	<-h.request
	close(h.request)
}

// done is over; h may be nil.
func (h *host) done() {
	if h != nil {
		h.over()
	}
}

// connect is mount.connect with the request of the host, if there is one.
func (h *requests) connect(s *Socket, params Params, r *http.Request, token *string) *RefuseError {
	if h.host == nil {
		return s.mount.connect(s, params, r, token)
	}
	request, ok := <-h.host.request
	if !ok {
		return &RefuseError{cause: errClientGone}
	}
	defer func() { h.host.request <- request }()
	ctx, end := context.WithCancelCause(hostContext{r.Context(), request.Context()})
	defer end(nil)
	defer context.AfterFunc(request.Context(), func() { end(context.Cause(request.Context())) })()
	seen := request.WithContext(ctx)
	seen.RemoteAddr = r.RemoteAddr
	return s.mount.connect(s, params, seen, token)
}

// admit counts a client that another server has accepted, or refuses it.
func (ep *Endpoint) admit(w http.ResponseWriter, from origin, may func(open int) bool) (*visitor, bool) {
	addr, _ := netip.ParseAddrPort(from.remote)
	v, ok := ep.enter(addr.Addr())
	if ok && may(ep.conns()) {
		return v, true
	}
	v.leave()
	tryLater(w)
	return nil, false
}

// A hostContext has also what middleware has put into the request's.
type hostContext struct {
	context.Context
	host context.Context
}

// Value falls back on the host's; see context.Context.
func (c hostContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.host.Value(key)
}

// unwrapFix tells how to mend a ResponseWriter that hides abilities of the server's.
const unwrapFix = "give the ResponseWriter of the middleware in between an Unwrap method"

// hijack takes the connection of a request for a WebSocket to the loop, and
// returns when it is decided what becomes of it.
func (ep *Endpoint) hijack(w http.ResponseWriter, r *http.Request) {
	var data bytes.Buffer
	if err := plain(r).Write(&data); err != nil { // an invalid Host
		http.Error(w, "", http.StatusBadRequest)
		return
	}
	over := make(chan struct{})
	from, host := hostOf(r, func() { close(over) })
	defer host.end()
	v, ok := ep.admit(w, from, ep.admission.admits)
	if !ok {
		return
	}
	hijacked := false
	defer func() {
		if !hijacked { // or middleware has panicked
			v.leave()
		}
	}()
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		ep.log.Error("take a connection from its server", "err", err, "fix", unwrapFix)
		http.Error(w, "no WebSocket is possible here", http.StatusInternalServerError)
		return
	}
	hijacked = true
	_ = conn.SetDeadline(time.Time{}) // the server's
	_, _ = io.CopyN(&data, buffered, int64(buffered.Reader.Buffered()))
	err = ep.poller.Attach(conn, func(c *poller.Conn) poller.Handler {
		h := ep.acceptFrom(c, from)
		if h == nil {
			v.leave()
			host.done()
			return refuseEarly(c)
		}
		h.host, h.visitor = host, v
		h.begin(c, data.Bytes())
		return h
	})
	if err != nil {
		v.leave()
		ep.log.Warn("connection refused", "remote", from.remote, "err", err)
		return
	}
	<-over
}

// begin makes a request of what was read elsewhere, on a connection that is not
// registered yet.
func (h *requests) begin(c *poller.Conn, data []byte) {
	h.wait(c, nil)
	h.buf, h.room = data, len(data)+maxEarly
	c.Post(func() { h.resume(c) })
}

// plain is a request as the loop reads it, without what matters only between the
// client and its server.
func plain(r *http.Request) *http.Request {
	out := r.WithContext(r.Context())
	out.Header, out.Trailer = r.Header.Clone(), nil
	if out.ContentLength == 0 { // whatever middleware has put around it
		out.Body = http.NoBody
	}
	out.Header.Del("Expect") // the server answers it when the body is read
	if _, ok := out.Header["User-Agent"]; !ok {
		out.Header["User-Agent"] = []string{""} // else Write makes one up
	}
	return out
}
