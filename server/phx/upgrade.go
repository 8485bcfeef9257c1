package phx

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/gobwas/httphead"
	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsflate"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/internal/packet"
	"github.com/roost-rt/roost/server/wire"
)

// An upgrade answers one WebSocket handshake, on the loop or, if the
// application has a say, on the worker pool.
type upgrade struct {
	conn     *poller.Conn
	requests *requests
	mount    *mount
	vars     map[string]string // of the path
	head     http1.Head        // the request
	asking   *asking           // nil on the loop
	form     packet.Form       // packet.Deflated if permessage-deflate is agreed on

	visitor *visitor // who is counted for the socket, beside who is for the connection

	attempt  attempt
	badQuery error        // why attempt has no parameters
	refusal  *RefuseError // if decide refuses
	socket   *Socket      // if all is well
	text     handshake    // for the Upgrader
	output   []byte       // the HTTP answer
}

// upgrades are those that are over, to be used again: they and their text are more
// than half of what connecting a client allocates.
var upgrades = sync.Pool{New: func() any { return new(upgrade) }}

// upgrade answers a handshake at once: the application has no say. Loop only.
func (h *requests) upgrade(c *poller.Conn, m *mount, vars map[string]string, head *http1.Head, early []byte) {
	u := upgrades.Get().(*upgrade)
	*u = upgrade{conn: c, requests: h, mount: m, vars: vars, head: *head, text: u.text}
	u.run()
	u.finish(early)
	*u = upgrade{text: handshake{buf: u.text.buf}}
	upgrades.Put(u)
}

// Turn runs the upgrade on the worker pool and brings its end to the loop.
func (u *upgrade) Turn() {
	defer func() {
		if !u.conn.Post(func() { u.finish(u.requests.buf) }) { // Shutdown has not waited for it
			u.miss()
		}
	}()
	defer u.asking.done()
	returned := false
	defer func() {
		if !returned {
			u.abandon()
		}
	}()
	u.run()
	returned = true
}

func (u *upgrade) describe() []any { return []any{"mount", u.mount.Path, "callback", "Connect"} }

// abandon refuses a client whose Connect has not returned.
func (u *upgrade) abandon() {
	u.socket = nil
	u.output = closing([]byte("HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"))
	u.attempt.settle(nil, &RefuseError{Status: http.StatusInternalServerError, cause: errLeft})
}

// run makes the answer, in the order of spec §1.3, but that the request must be a
// valid one first of all, where Phoenix looks at that last.
func (u *upgrade) run() {
	u.attempt = u.mount.attempt("websocket")
	u.badQuery = u.parse()
	upgrader := ws.Upgrader{OnBeforeUpgrade: u.beforeUpgrade}
	if u.mount.Deflate != nil {
		upgrader.Negotiate = u.negotiate
	}
	text := &u.text
	text.take(&u.head)
	if _, err := upgrader.Upgrade(text); err != nil {
		u.socket = nil
		if u.refusal != nil {
			err = u.refusal
		}
		u.attempt.settle(nil, err)
		text.answer = closing(text.answer)
	}
	u.output = text.answer
}

// parse finds the parameters before anything can refuse the client: the log is to
// show whom.
func (u *upgrade) parse() error {
	params, err := wire.ParseQuery(string(u.head.Query))
	if err != nil {
		return err
	}
	u.attempt.take(params, u.vars)
	return nil
}

// beforeUpgrade is decide for the Upgrader.
func (u *upgrade) beforeUpgrade() (ws.HandshakeHeader, error) {
	header, err := u.decide()
	if errors.As(err, &u.refusal) {
		err = refused(u.refusal)
	}
	return header, err
}

// closing has a refusal say that the connection ends with it (RFC 9112 §9.6). A
// client would else keep it, and send its next request into the end of it.
func closing(answer []byte) []byte {
	return bytes.Replace(answer, []byte("\r\n"), []byte("\r\nConnection: close\r\n"), 1)
}

// decide is the last word on a request that is valid. Its error is a
// *RefuseError, also when the application panics.
func (u *upgrade) decide() (_ ws.HandshakeHeader, err error) {
	m := u.mount
	defer m.contain(&err)
	if from := u.head.Origin; from != nil && !m.allows(string(from), u.requests.origin.scheme(), string(u.head.Host)) {
		return nil, &RefuseError{cause: errOrigin}
	}
	var token *string
	offers := u.subprotocols()
	if m.AuthToken {
		if token, offers, err = bearer(offers); err != nil {
			return nil, &RefuseError{Status: http.StatusBadRequest, Body: err.Error()}
		}
	}
	protocol := m.subprotocol(offers)
	if len(offers) > 0 && protocol == "" {
		m.log.Info("subprotocol refused", "mount", m.Path, "offered", offers, "spoken", m.Subprotocols)
		return nil, &RefuseError{cause: errSubprotocol}
	}
	if u.badQuery != nil {
		return nil, &RefuseError{Status: http.StatusBadRequest, cause: u.badQuery}
	}
	params := u.attempt.params
	d := m.dialect(params, u.form)
	if d == nil {
		return nil, &RefuseError{cause: errVersion}
	}
	s := &Socket{dialect: d, transport: webSocket{u.conn}}
	remote, err := u.count(s)
	if err != nil {
		return nil, err
	}
	if m.Connect != nil {
		r, err := u.head.Request()
		if err != nil {
			return nil, &RefuseError{Status: http.StatusBadRequest, cause: err}
		}
		r = r.WithContext(u.asking.ctx)
		r.RemoteAddr, r.TLS = cmp.Or(remote, u.requests.remoteAddr(u.conn)), u.conn.ConnectionState()
		if refusal := u.requests.connect(s, params, r, token); refusal != nil {
			return nil, refusal
		}
	}
	u.socket = s
	if protocol != "" {
		return ws.HandshakeHeaderString("Sec-WebSocket-Protocol: " + protocol + "\r\n"), nil
	}
	return nil, nil
}

// subprotocols are those that the client offers, if they matter.
func (u *upgrade) subprotocols() (offers []string) {
	if !u.mount.chooses() {
		return nil
	}
	for _, line := range u.head.Values("sec-websocket-protocol") {
		for offer := range strings.SplitSeq(line, ",") {
			offers = append(offers, strings.TrimSpace(offer))
		}
	}
	return offers
}

// count finds out whose socket s will be. If a trusted proxy has brought it, it
// counts as a connection of the client. remote is "" if it is the connection's own
// address.
func (u *upgrade) count(s *Socket) (remote string, err error) {
	ep := u.requests.endpoint
	remote = u.requests.origin.remote
	if len(ep.proxies.trusted) > 0 {
		peer := u.requests.remoteAddr(u.conn)
		if client := ep.proxies.clientOf(peer, u.head.Values(ep.proxies.field)); client != peer {
			remote = client
			addr, _ := netip.ParseAddrPort(client) // clientOf has made it
			v, ok := ep.enter(addr.Addr())
			if !ok {
				return "", &RefuseError{Status: http.StatusServiceUnavailable, Header: http.Header{"Retry-After": {"1"}}, cause: errCrowded}
			}
			u.visitor = v
		}
	}
	if remote != "" || u.visitor != nil {
		s.extra = &extra{remote: remote}
	}
	return remote, nil
}

// negotiate takes the first offer of permessage-deflate that can be met: the
// server keeps no window from one message to the next, and has the client keep
// none either (RFC 7692 §7.1.1).
func (u *upgrade) negotiate(offer httphead.Option) (_ httphead.Option, _ error) {
	var asked wsflate.Parameters
	if string(offer.Name) != wsflate.ExtensionName || u.form == packet.Deflated || asked.Parse(offer) != nil {
		return httphead.Option{}, nil
	}
	if asked.ServerMaxWindowBits.Defined() && asked.ServerMaxWindowBits < 15 { // compress/flate knows only 15
		return httphead.Option{}, nil
	}
	u.form = packet.Deflated
	return wsflate.Parameters{
		ServerNoContextTakeover: true, ClientNoContextTakeover: true, ServerMaxWindowBits: asked.ServerMaxWindowBits,
	}.Option(), nil
}

// finish sends the answer and gives the connection to its socket, with what the
// client has sent meanwhile. Loop only.
func (u *upgrade) finish(early []byte) {
	u.conn.CheckLoop()
	defer u.requests.host.done()
	if u.conn.Handler() != poller.Handler(u.requests) { // gone meanwhile
		u.miss()
		return
	}
	if u.socket == nil {
		u.visitor.leave()
		u.conn.Finish(u.output)
		return
	}
	u.requests.buf = nil
	if v := cmp.Or(u.visitor, u.requests.visitor); v != nil { // never both: proxies are not counted
		u.socket.extraLocked().visitor = v // no one else has the socket yet
	}
	handler := u.socket.open(&u.attempt, u.output)
	u.conn.SetHandler(handler)
	u.conn.SetIdle(u.mount.Idle)
	if len(early) > 0 {
		handler.Data(u.conn, early)
	}
}

// miss is the end of an upgrade whose connection is gone.
func (u *upgrade) miss() {
	u.visitor.leave()
	if u.socket != nil {
		u.socket.reject()
		u.attempt.settle(nil, errClientGone)
	}
}

var (
	errOrigin      = errors.New("the origin is not allowed")
	errSubprotocol = errors.New("none of the subprotocols is spoken here")
	errVersion     = errors.New("no serializer for this vsn")
)

// refused makes the Upgrader's error of a refusal.
func refused(e *RefuseError) error {
	return ws.RejectConnectionError(
		ws.RejectionStatus(cmp.Or(e.Status, http.StatusForbidden)),
		ws.RejectionReason(e.Body),
		ws.RejectionHeader(ws.HandshakeHeaderHTTP(e.Header)),
	)
}

// A handshake is the io.ReadWriter of ws.Upgrader. One buffer suffices, as the Upgrader
// writes only after it has read everything.
type handshake struct{ buf, head, answer []byte }

// take keeps the parts of a request that the Upgrader looks at, in forms that it
// accepts: it takes a second Connection field for a contradiction, and knows only the
// target /. An invalid key is left out, as the Upgrader looks at its length only.
func (t *handshake) take(h *http1.Head) {
	b := slices.Grow(t.buf[:0], 256) // enough for most, and for the answer
	b = append(b, h.Method...)
	b = append(b, " / HTTP/1."...)
	b = append(b, '0'+byte(h.Minor), '\r', '\n')
	upgrades := false
	for name, value := range h.Fields() {
		switch {
		case http1.Is(name, "connection"):
			upgrades = upgrades || http1.Lists(value, "upgrade")
		case http1.Is(name, "sec-websocket-key") && !isKey(value):
		case http1.Is(name, "host"), http1.Is(name, "upgrade"), len(name) > 14 && http1.Is(name[:14], "sec-websocket-"):
			b = append(append(append(append(b, name...), ':'), value...), '\r', '\n')
		}
	}
	if upgrades {
		b = append(b, "Connection:Upgrade\r\n"...)
	}
	b = append(b, '\r', '\n')
	t.buf, t.head, t.answer = b, b, b[:0]
}

// isKey reports whether a Sec-WebSocket-Key is 16 bytes in base64 (RFC 6455 §4.1,
// §4.2.1).
func isKey(value []byte) bool {
	var key [18]byte
	if len(value) != base64.StdEncoding.EncodedLen(16) {
		return false
	}
	n, err := base64.StdEncoding.Decode(key[:], value)
	return n == 16 && err == nil
}

func (t *handshake) Read(b []byte) (int, error) {
	if len(t.head) == 0 {
		return 0, io.EOF
	}
	n := copy(b, t.head)
	t.head = t.head[n:]
	return n, nil
}

func (t *handshake) Write(b []byte) (int, error) {
	t.answer = append(t.answer, b...)
	return len(b), nil
}
