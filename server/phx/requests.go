package phx

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/http1"
)

const (
	// maxHead is the longest HTTP request head in bytes.
	maxHead = 16 << 10

	// maxBody is the longest body of a long-poll request in bytes (spec §3.2).
	maxBody = 8_000_000

	// maxEarly is how many bytes a client may send after a request, before it has
	// the answer.
	maxEarly = 64 << 10

	// keepAlive is how long a connection is kept for its next request.
	keepAlive = 60 * time.Second
)

// requests is the handler of a connection that is not a WebSocket (yet): it reads
// HTTP requests, one at a time, and brings them to their mounts or to the HTTP
// handler. All of it belongs to the loop.
type requests struct {
	endpoint *Endpoint
	origin   origin
	host     *host     // the server that had the connection first, or nil
	buf      []byte    // what has come and is not taken yet
	coming   *exchange // whose body is being read, or nil
	need     int       // bytes of it
	room     int       // bytes that buf may have while a request is being answered
	busy     bool      // one is: others wait
	last     bool      // it ends the connection: what follows it is dropped
	began    uint32    // when its body began; see Endpoint.mark
	held     int       // bytes of that which count in endpoint.incoming
	kept     int       // likewise of buf
	visitor  *visitor  // who is counted for the connection, or nil
	before   uint64    // the last poll whose answer another node has made and the client has read, or 0
	waiting  waiter    // the request that is being answered or was the last, if it waits or did; or nil
}

// A waiter is a request whose answer has to wait for something.
type waiter interface {
	expire()                 // the connection's deadline has passed: answer now
	abandon(why error)       // the connection is gone
	answered(more bool) bool // it is, though not by the loop; if not, and more has come, the loop must be told
}

var errTooEarly = errors.New("too much sent before the request was answered")

// origin holds the facts that a connection's bytes do not tell: how it came before TLS,
// or net/http, had it.
type origin struct {
	remote   string // address, or "" for the connection's own
	https    bool
	loopback bool // by a listener at a loopback address
}

// peer is the address by which c counts; it is not valid if there is none.
func (o origin) peer(c *poller.Conn) netip.AddrPort {
	if o.remote == "" {
		return c.RemoteAddr()
	}
	addr, _ := netip.ParseAddrPort(o.remote)
	return addr
}

func (o origin) scheme() string {
	if o.https {
		return "https"
	}
	return "http"
}

func (h *requests) Data(c *poller.Conn, data []byte) {
	h.come(c, data)
	h.settle(c)
}

// settle counts what buf holds now, and ends the connection if there is no room for it.
func (h *requests) settle(c *poller.Conn) {
	n := cap(h.buf)
	fits := n == h.kept || h.endpoint.incoming.add(n-h.kept, n)
	h.kept = n
	if !fits {
		h.endpoint.log.Debug("no room for a request", "remote", h.remoteAddr(c))
		c.Kill(errNoRoom) // Closed gives it back
	}
}

func (h *requests) come(c *poller.Conn, data []byte) {
	switch {
	case h.last:
		return
	case !h.free(true):
		if h.buf = append(h.buf, data...); len(h.buf) > h.room {
			c.Kill(errTooEarly)
		}
		return
	case h.coming != nil:
		h.more(c, data)
		return
	case len(h.buf) > 0: // most requests come in one piece: no copy
		h.buf = append(h.buf, data...)
		data = h.buf
	}
	h.next(c, data)
}

// free reports whether the request before is answered. If it is not, more says that
// another has come.
func (h *requests) free(more bool) bool {
	if h.waiting != nil && h.waiting.answered(more) {
		h.busy = false
	}
	return !h.busy
}

// hold counts the bytes of a body that are held from now on. It reports whether
// there is room for them.
func (h *requests) hold(n int) (fits bool) {
	fits = h.endpoint.incoming.add(n-h.held, n)
	h.held = n
	return fits
}

// next takes the request at the beginning of data, if it is complete. data is
// h.buf or lent; h.buf keeps what is not taken of a head.
func (h *requests) next(c *poller.Conn, data []byte) {
	head, rest, whole := http1.Cut(data)
	switch {
	case len(head) > maxHead, !whole && len(data) > maxHead:
		answer(c, http.StatusRequestHeaderFieldsTooLarge, "")
		return
	case !whole:
		h.keep(c, data)
		return
	case !h.head(c, head, rest):
		return
	case len(rest) < h.need:
		h.buf = nil
		h.more(c, rest)
		return
	}
	x := h.coming
	x.body = rest[:h.need]
	if h.need > maxInline {
		h.hold(h.need) // until it is answered
	}
	h.take(c, x, rest[h.need:])
}

// more takes what has come of a body, in pieces: to put a large one together takes too
// long for the loop (see post.Turn).
func (h *requests) more(c *poller.Conn, data []byte) {
	x := h.coming
	n := min(len(data), h.need-x.parts.Len())
	x.parts.Add(data[:n])
	fits := h.hold(x.parts.Held()) // until it is answered
	switch {
	case x.parts.Len() == h.need:
		if h.need <= maxInline {
			x.body, x.parts = x.parts.Join(), frame.Parts{}
		}
		h.take(c, x, data[n:])
	case !fits:
		h.cut(NoRoom)
		h.forget()
		answer(c, http.StatusServiceUnavailable, "")
	case h.began == 0: // its time counts from its head
		h.began = h.endpoint.mark()
		c.SetDeadline(h.endpoint.incoming.timeout)
	}
}

// take answers a request. rest holds the bytes behind it.
func (h *requests) take(c *poller.Conn, x *exchange, rest []byte) {
	h.coming, h.began, h.last = nil, 0, x.closes
	h.wait(c, rest)
	x.begin()
}

// keep waits for the rest of a head, for which the time counts from its first byte.
func (h *requests) keep(c *poller.Conn, data []byte) {
	if len(h.buf) == 0 {
		h.buf = bytes.Clone(data)
		c.SetDeadline(h.endpoint.cfg.HandshakeTimeout)
	}
}

// forget gives up the request whose body is coming, and lets go of its bytes.
func (h *requests) forget() {
	h.hold(0)
	h.endpoint.incoming.add(-h.kept, 0)
	h.kept, h.buf, h.coming = 0, nil, nil
}

// cut enters in the ledger that the body of a session is not waited for.
func (h *requests) cut(cause Cause) {
	if s := h.coming.session; s != nil {
		s.socket.count(cause)
	}
}

// wait makes later requests wait for the answer to this one. rest holds the bytes of
// them that have come.
func (h *requests) wait(c *poller.Conn, rest []byte) {
	c.SetDeadline(h.endpoint.cfg.HandshakeTimeout)
	h.busy, h.waiting, h.buf = true, nil, nil
	if len(rest) > 0 {
		h.buf = bytes.Clone(rest)
	}
	h.room = max(len(rest), maxEarly) // not more for each request that waits already
}

// Timeout ends a request that does not come to an end, a Connect that takes that
// long, or a connection that nothing more comes from. For a long poll it is time
// to say that there is nothing.
func (h *requests) Timeout(c *poller.Conn) {
	if h.busy && h.waiting != nil {
		if !h.free(false) {
			h.waiting.expire()
		}
		if h.free(false) {
			c.SetDeadline(keepAlive)
		}
		return
	}
	if h.coming != nil {
		if left := h.endpoint.incoming.patience(h.coming.parts.Len()) - h.endpoint.since(h.began); left > 0 {
			c.SetDeadline(left)
			return
		}
		h.cut(SlowMessage)
	}
	c.Kill(poller.ErrTimeout)
}

func (h *requests) Closed(_ *poller.Conn, err error) {
	h.visitor.leave()
	h.host.done()
	h.forget()
	if h.waiting != nil {
		h.waiting.abandon(err)
	}
}

// head decides what a request is for. It reports whether its body, of h.need
// bytes, has to be taken; if not, the request is done with or on its way. Both
// slices are lent.
func (h *requests) head(c *poller.Conn, text, rest []byte) (body bool) {
	ep := h.endpoint
	head, err := http1.Parse(text)
	if err != nil {
		h.refuse(c, err)
		return false
	}
	if p, ok := h.waiting.(*poll); ok {
		p.confirm()
	}
	e, vars := ep.entrances.find(head.Path)
	switch {
	case ep.isReady(string(head.Path)):
		ep.answerReady(c, string(head.Method))
	case ep.hosts.ask(h.origin.loopback) && !ep.hosts.again(head.Host) && !ep.allowsHost(string(head.Host)):
		answer(c, http.StatusMisdirectedRequest, misdirected)
	case e == nil:
		all := append(bytes.Clone(text), rest...)
		h.buf = nil
		ep.serveHTTP(c, h, all)
	case e.kind == overLongPoll:
		return h.longPollHead(c, e.mount, vars, &head, text, rest)
	case string(head.Method) != http.MethodGet, head.Length != 0: // a body would be taken for frames
		answer(c, http.StatusBadRequest, "")
	case ep.draining.Load():
		answer(c, http.StatusServiceUnavailable, "")
	case !e.mount.asks && len(head.Query) <= longQuery:
		h.buf = nil
		h.upgrade(c, e.mount, vars, &head, rest)
	default:
		h.wait(c, rest)
		head, _ = http1.Parse(bytes.Clone(text)) // again, of bytes that stay
		pool := ep.connects
		if !e.mount.asks { // only the query takes long
			pool = ep.unpackers
		}
		pool.Go(&upgrade{conn: c, requests: h, mount: e.mount, vars: vars, head: head, asking: h.ask(c)})
	}
	return false
}

// refuse answers what is no request, or none that is understood in one way only.
func (h *requests) refuse(c *poller.Conn, err error) {
	h.endpoint.log.Debug("request refused", "remote", h.remoteAddr(c), "err", err)
	refusal := http1.Error{Status: http.StatusBadRequest}
	if e := (*http1.Error)(nil); errors.As(err, &e) {
		refusal = *e
	}
	answer(c, refusal.Status, refusal.Reason)
}

// longPollHead is head for long polling. Nobody may fill our memory with bodies
// without a session: those are not waited for.
func (h *requests) longPollHead(c *poller.Conn, m *mount, vars map[string]string, head *http1.Head, text, rest []byte) (body bool) {
	if head.Length > maxBody {
		answer(c, http.StatusBadRequest, "")
		return false
	}
	x := exchanges.Get().(*exchange)
	*x = exchange{conn: c, requests: h, mount: m, polls: h.endpoint.polls[m], vars: vars, text: text, head: *head, closes: head.Close || head.Minor == 0}
	signed, _ := head.Get(tokenField)
	x.session, x.far, x.params, _ = x.polls.seek(signed, head.Query, h.lastPolled(head)) // begin finds the error
	whole := 0 <= head.Length && head.Length <= int64(len(rest))
	switch {
	case !whole && x.session == nil && x.far == nil: // it gets its answer without
		x.closes = true
		h.take(c, x, nil)
		return false
	case head.Length == http1.Chunked: // net/http knows how to, and brings it back (see reenter)
		h.endpoint.serveHTTP(c, h, append(bytes.Clone(text), rest...))
		return false
	case !whole:
		x.keepHead()
		if head.Continue {
			_ = c.Send([]byte("HTTP/1.1 100 Continue\r\n\r\n")) // Closed tells
		}
	}
	h.coming, h.need = x, int(head.Length)
	return true
}

// lastPolled is the session of the poll before this request, if it may be another poll.
// One that has ended is found, too, but no body is waited for.
func (h *requests) lastPolled(head *http1.Head) *pollSession {
	if p, ok := h.waiting.(*poll); ok && head.Length == 0 {
		return p.session
	}
	return nil
}

func (h *requests) remoteAddr(c *poller.Conn) string {
	if h.origin.remote != "" {
		return h.origin.remote
	}
	return c.RemoteAddr().String()
}

// respond answers the request that h is busy with, and ends the connection if it
// closes. It reports whether the connection took the answer. Locks may be held. Loop
// only.
func (h *requests) respond(c *poller.Conn, answer []byte, closes bool) bool {
	c.CheckLoop()
	if c.Send(answer) != nil {
		return false
	}
	h.waiting = nil
	h.hold(0)
	switch {
	case closes:
		c.Finish(nil)
	case len(h.buf) == 0:
		h.busy = false
		c.SetDeadline(keepAlive)
	default: // not here, for the sake of locks and of the stack
		c.Post(func() { h.resume(c) })
	}
	return true
}

// resume goes on to what came meanwhile.
func (h *requests) resume(c *poller.Conn) {
	if c.Handler() != h { // gone meanwhile
		return
	}
	data := h.buf
	h.busy, h.buf = false, nil
	c.SetDeadline(keepAlive)
	h.next(c, data)
	h.settle(c)
}

// answer sends a plain HTTP answer and ends the connection.
func answer(c *poller.Conn, status int, body string) {
	r := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	var b bytes.Buffer
	_ = r.Write(&b) // a bytes.Buffer takes everything
	c.Finish(b.Bytes())
}

// reenter brings a request for a mount back to the event loop: net/http had the
// connection because of an earlier request, or of a chunked body.
func (ep *Endpoint) reenter(w http.ResponseWriter, r *http.Request, e *entrance) {
	var body []byte
	chunked := r.ContentLength < 0 || len(r.TransferEncoding) > 0
	switch {
	case !chunked:
	case e.kind != overLongPoll: // a GET that has none
		refuse(w, http.StatusBadRequest)
		return
	case ep.polls[e.mount].has(r):
		var err error
		switch body, err = ep.readBody(w, r); {
		case errors.Is(err, errNoRoom):
			refuse(w, http.StatusServiceUnavailable)
			return
		case err != nil:
			refuse(w, http.StatusBadRequest)
			return
		}
	default:
		r.Close = true
	}
	if n := max(r.ContentLength, int64(len(body))); n > 0 {
		r.Header.Set("Content-Length", strconv.FormatInt(n, 10))
	}
	if r.Close || !r.ProtoAtLeast(1, 1) {
		r.Header.Set("Connection", "close")
	}
	var head bytes.Buffer
	target := r.URL.EscapedPath() // by which its mount was found; RequestURI may have a host before it
	if r.URL.RawQuery != "" {
		target += "?" + r.URL.RawQuery
	}
	head.WriteString(r.Method + " " + target + " HTTP/1.1\r\nHost: " + r.Host + "\r\n")
	_ = r.Header.Write(&head) // a bytes.Buffer takes everything
	head.WriteString("\r\n")

	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil { // HTTP/2 is not spoken here
		ep.incoming.add(-len(body), 0)
		ep.log.Error("take a connection back from net/http", "err", err)
		return
	}
	d := conn.(*detached)
	_ = d.SetDeadline(time.Time{}) // net/http's
	early, _ := io.ReadAll(io.LimitReader(buffered, int64(buffered.Reader.Buffered())))
	all := slices.Concat(head.Bytes(), body, early, d.read)
	v := d.visitor.again() // before release, so that the client always counts
	d.release()            // before the loop has it, which may want a place for the next request
	err = ep.poller.Attach(d.Conn, func(c *poller.Conn) poller.Handler {
		if ep.draining.Load() {
			ep.incoming.add(-len(body), 0)
			v.leave()
			return nil
		}
		h := &requests{endpoint: ep, origin: d.origin, visitor: v, held: len(body)}
		h.begin(c, all)
		return h
	})
	if err != nil {
		ep.incoming.add(-len(body), 0)
		v.leave()
		ep.log.Debug("take a connection back from net/http", "err", err)
	}
}

var errNoRoom = errors.New("too many messages are on their way")

// readBody reads a body from net/http, by the rule of Config.IncomingMax. The body
// counts as held unless there is an error.
func (ep *Endpoint) readBody(w http.ResponseWriter, r *http.Request) (body []byte, err error) {
	in := &ep.incoming
	defer func() {
		if err != nil {
			in.add(-len(body), 0)
		}
	}()
	from := http.MaxBytesReader(w, r.Body, maxBody)
	for part := make([]byte, 32<<10); ; {
		n, err := from.Read(part)
		body = append(body, part[:n]...)
		switch fits := in.add(n, len(body)); {
		case !fits:
			return body, errNoRoom
		case err == io.EOF:
			return body, nil
		case err != nil:
			return body, err
		}
	}
}
