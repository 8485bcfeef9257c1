package phx

import (
	"cmp"
	"errors"
	"net/http"
	"net/netip"
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
	badQuery error   // why attempt has no parameters
	socket   *Socket // if all is well
	output   []byte  // the HTTP answer
}

// upgrades are those that are over, to be used again: they and their answers are more
// than half of what connecting a client allocates.
var upgrades = sync.Pool{New: func() any { return new(upgrade) }}

// upgrade answers a handshake at once: the application has no say. Loop only.
func (h *requests) upgrade(c *poller.Conn, m *mount, vars map[string]string, head *http1.Head, early []byte) {
	u := upgrades.Get().(*upgrade)
	*u = upgrade{conn: c, requests: h, mount: m, vars: vars, head: *head, output: u.output}
	u.run()
	u.finish(early)
	*u = upgrade{output: u.output[:0]}
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
	u.refuse(&RefuseError{Status: http.StatusInternalServerError, cause: errLeft})
}

// run makes the answer, in the order of spec §1.3, but that the request must be a
// valid one first of all, where Phoenix looks at that last.
func (u *upgrade) run() {
	u.attempt = u.mount.attempt("websocket")
	u.badQuery = u.parse()
	if err := u.open(); err != nil {
		u.refuse(err)
	}
}

// open makes the answer to a request that is granted.
func (u *upgrade) open() error {
	asked := readHandshake(&u.head)
	if err := asked.check(); err != nil {
		return err
	}
	extension, err := u.negotiate()
	if err != nil {
		return err
	}
	protocol, err := u.decide()
	if err != nil {
		return err
	}
	u.output = appendAnswer(u.output, asked.key, protocol, extension)
	return nil
}

// refuse makes the answer of a refusal.
func (u *upgrade) refuse(err error) {
	u.socket = nil
	u.output = appendRefusal(u.output[:0], err)
	u.attempt.settle(nil, err)
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

// decide is the last word on a request that is valid. Its error is a
// *RefuseError, also when the application panics. protocol is the subprotocol, if there is one.
func (u *upgrade) decide() (protocol string, err error) {
	m := u.mount
	defer m.contain(&err)
	if from := u.head.Origin; from != nil && !m.allows(string(from), u.requests.origin.scheme(), string(u.head.Host)) {
		return "", &RefuseError{cause: errOrigin}
	}
	var token *string
	offers := u.subprotocols()
	if m.AuthToken {
		if token, offers, err = bearer(offers); err != nil {
			return "", &RefuseError{Status: http.StatusBadRequest, Body: err.Error()}
		}
	}
	protocol = m.subprotocol(offers)
	if len(offers) > 0 && protocol == "" {
		m.log.Info("subprotocol refused", "mount", m.Path, "offered", offers, "spoken", m.Subprotocols)
		return "", &RefuseError{cause: errSubprotocol}
	}
	if u.badQuery != nil {
		return "", &RefuseError{Status: http.StatusBadRequest, cause: u.badQuery}
	}
	params := u.attempt.params
	d := m.dialect(params, u.form)
	if d == nil {
		return "", &RefuseError{cause: errVersion}
	}
	s := &Socket{dialect: d, transport: webSocket{u.conn}}
	remote, err := u.count(s)
	if err != nil {
		return "", err
	}
	if m.Connect != nil {
		r, err := u.head.Request()
		if err != nil {
			return "", &RefuseError{Status: http.StatusBadRequest, cause: err}
		}
		r = r.WithContext(u.asking.ctx)
		r.RemoteAddr, r.TLS = cmp.Or(remote, u.requests.remoteAddr(u.conn)), u.conn.ConnectionState()
		if refusal := u.requests.connect(s, params, r, token); refusal != nil {
			return "", refusal
		}
	}
	u.socket = s
	return protocol, nil
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

// negotiate takes the first offer of permessage-deflate that can be met, and returns what to
// answer: the server keeps no window from one message to the next, and has the client keep
// none either (RFC 7692 §7.1.1).
func (u *upgrade) negotiate() (extension string, err error) {
	if u.mount.Deflate == nil {
		return "", nil
	}
	take := func(offer httphead.Option) bool {
		var asked wsflate.Parameters
		if string(offer.Name) != wsflate.ExtensionName || u.form == packet.Deflated || asked.Parse(offer) != nil {
			return false
		}
		if asked.ServerMaxWindowBits.Defined() && asked.ServerMaxWindowBits < 15 { // compress/flate knows only 15
			return false
		}
		u.form = packet.Deflated
		extension = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
		if asked.ServerMaxWindowBits.Defined() {
			extension += "; server_max_window_bits=15"
		}
		return false // or the Option would be copied
	}
	for name, value := range u.head.Fields() {
		if !http1.Is(name, "sec-websocket-extensions") {
			continue
		}
		if _, ok := (httphead.OptionSelector{Check: take}).Select(value, nil); !ok {
			return "", ws.ErrMalformedRequest
		}
	}
	return extension, nil
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
	u.requests.forget()
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
