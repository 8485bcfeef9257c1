package phx

import (
	"bufio"
	"bytes"
	"cmp"
	"errors"
	"io"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/wire"
)

const (
	// maxHead is the longest HTTP request head in bytes.
	maxHead = 16 << 10

	// maxEarly is how many bytes a client may send after its request, before it
	// has the answer.
	maxEarly = 64 << 10
)

// A handshake is the handler of a connection that has not been upgraded: it
// collects the HTTP request. All of it belongs to the loop.
type handshake struct {
	endpoint *Endpoint
	buf      []byte // request bytes so far; after the head, what came early
	waiting  bool   // for Connect
}

func (h *handshake) Data(c *poller.Conn, data []byte) {
	if h.waiting {
		if h.buf = append(h.buf, data...); len(h.buf) > maxEarly {
			c.Kill(errors.New("too much sent before the handshake was answered"))
		}
		return
	}
	searched := max(len(h.buf)-3, 0) // the end may lie across two reads
	if len(h.buf) > 0 {
		h.buf = append(h.buf, data...)
		data = h.buf
	}
	n := len(data)
	end := bytes.Index(data[searched:], []byte("\r\n\r\n"))
	if end >= 0 {
		n = searched + end + 4
	}
	switch {
	case n > maxHead:
		answer(c, http.StatusRequestHeaderFieldsTooLarge, "")
	case end >= 0:
		h.request(c, data[:n:n], data[n:])
	case len(h.buf) == 0:
		h.buf = append([]byte(nil), data...)
	}
}

// Timeout ends a request that does not come to an end, or a Connect that takes
// that long.
func (h *handshake) Timeout(c *poller.Conn)     { c.Kill(poller.ErrTimeout) }
func (h *handshake) Closed(*poller.Conn, error) {}

// request decides what the request head is for. Both slices are lent.
func (h *handshake) request(c *poller.Conn, head, early []byte) {
	method, target, _ := bytes.Cut(head, []byte(" "))
	target, _, _ = bytes.Cut(target, []byte(" "))
	path, _, _ := bytes.Cut(target, []byte("?"))
	ep := h.endpoint
	m := ep.websockets[string(path)]
	switch {
	case m == nil:
		ep.serveHTTP(c, append(bytes.Clone(head), early...))
	case string(method) != http.MethodGet:
		answer(c, http.StatusBadRequest, "")
	case ep.draining.Load():
		answer(c, http.StatusServiceUnavailable, "")
	case !m.asks:
		h.buf = nil
		up := upgrade{conn: c, handshake: h, mount: m, head: head}
		up.run()
		up.finish(early)
	default:
		h.waiting = true
		h.buf = bytes.Clone(early)
		ep.workers.Go(&upgrade{conn: c, handshake: h, mount: m, head: bytes.Clone(head)})
	}
}

// An upgrade answers one WebSocket handshake, on the loop or, if the
// application has a say, on the worker pool.
type upgrade struct {
	conn      *poller.Conn
	handshake *handshake
	mount     *mount
	head      []byte // the request, to the blank line

	socket *Socket // if all is well
	output []byte  // the HTTP answer
}

// Turn runs the upgrade on the worker pool and brings its end to the loop.
func (u *upgrade) Turn() {
	u.run()
	u.conn.Post(func() { u.finish(u.handshake.buf) })
}

// run makes the answer. ws.Upgrader reads more than the head if it gets more, so
// it gets just that.
func (u *upgrade) run() {
	var (
		query     string
		host      string
		origin    string
		hasOrigin bool
	)
	upgrader := ws.Upgrader{
		OnRequest: func(uri []byte) error {
			_, query, _ = strings.Cut(string(uri), "?")
			return nil
		},
		OnHost: func(h []byte) error { host = string(h); return nil },
		OnHeader: func(key, value []byte) error {
			if string(key) == "Origin" {
				origin, hasOrigin = string(value), true
			}
			return nil
		},
		// The request is a valid one by now. Phoenix looks at that last (spec §1.3);
		// the answers are the same.
		OnBeforeUpgrade: func() (_ ws.HandshakeHeader, err error) {
			defer u.contain(&err)
			if hasOrigin && !u.originAllowed(origin, host) {
				return nil, refused(http.StatusForbidden, "")
			}
			return nil, u.connect(query)
		},
	}
	io := headOnly{head: u.head}
	if _, err := upgrader.Upgrade(&io); err != nil {
		u.socket = nil
		if len(io.answer) == 0 { // not HTTP at all
			io.answer = []byte("HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
		}
	}
	u.output = io.answer
}

// contain, deferred, refuses the client when the application panics.
func (u *upgrade) contain(err *error) {
	if r := recover(); r != nil {
		u.mount.endpoint.log.Error("panic in Connect or CheckOrigin", "mount", u.mount.Path, "panic", r, "stack", string(debug.Stack()))
		*err = refused(http.StatusInternalServerError, "")
	}
}

func (u *upgrade) originAllowed(origin, host string) bool {
	o, err := url.Parse(origin)
	if err == nil && u.mount.CheckOrigin(o, host) {
		return true
	}
	u.mount.endpoint.log.Error("origin refused", "mount", u.mount.Path, "origin", origin, "host", host,
		"fix", "allow it in Mount.CheckOrigin if pages from there may connect")
	return false
}

// connect makes the socket: serializer, then the application's Connect (spec §1.3).
func (u *upgrade) connect(query string) error {
	params, err := wire.ParseQuery(query)
	if err != nil {
		return refused(http.StatusBadRequest, "")
	}
	codec := u.mount.endpoint.codec(params)
	if codec == nil {
		return refused(http.StatusForbidden, "")
	}
	s := &Socket{conn: u.conn, mount: u.mount, codec: codec}
	if u.mount.Connect != nil {
		if err := u.ask(s, params); err != nil {
			return err
		}
	}
	u.socket = s
	return nil
}

// ask calls the application's Connect.
func (u *upgrade) ask(s *Socket, params Params) error {
	r, err := http.ReadRequest(bufio.NewReader(bytes.NewReader(u.head)))
	if err != nil {
		return refused(http.StatusBadRequest, "")
	}
	r.RemoteAddr = u.conn.RemoteAddr().String()
	if err := u.mount.Connect(s, params, r); err != nil {
		u.mount.endpoint.log.Debug("connect refused", "mount", u.mount.Path, "err", err)
		var refuse *RefuseError
		if errors.As(err, &refuse) {
			return refused(cmp.Or(refuse.Status, http.StatusForbidden), refuse.Body)
		}
		return refused(http.StatusForbidden, "")
	}
	return nil
}

// finish sends the answer and gives the connection to its socket, with what the
// client has sent meanwhile. Loop only.
func (u *upgrade) finish(early []byte) {
	if u.conn.Send(u.output) != nil || u.socket == nil {
		u.conn.Finish()
		return
	}
	u.handshake.buf = nil
	u.conn.SetHandler(u.socket)
	u.conn.SetIdle(u.mount.Idle)
	u.socket.open()
	if len(early) > 0 {
		u.socket.Data(u.conn, early)
	}
}

func refused(status int, body string) error {
	return ws.RejectConnectionError(ws.RejectionStatus(status), ws.RejectionReason(body))
}

// answer sends a plain HTTP answer and ends the connection.
func answer(c *poller.Conn, status int, body string) {
	r := http.Response{
		StatusCode: status, ProtoMajor: 1, ProtoMinor: 1, Close: true,
		ContentLength: int64(len(body)), Body: io.NopCloser(strings.NewReader(body)),
	}
	var b bytes.Buffer
	if r.Write(&b) == nil { // a bytes.Buffer takes everything
		_ = c.Send(b.Bytes()) // if it is gone, it is gone
	}
	c.Finish()
}

// headOnly is what ws.Upgrader reads from and writes to.
type headOnly struct{ head, answer []byte }

func (h *headOnly) Read(b []byte) (int, error) {
	if len(h.head) == 0 {
		return 0, io.EOF
	}
	n := copy(b, h.head)
	h.head = h.head[n:]
	return n, nil
}

func (h *headOnly) Write(b []byte) (int, error) {
	h.answer = append(h.answer, b...)
	return len(b), nil
}
