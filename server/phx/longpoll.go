package phx

import (
	"bytes"
	"net/http"
	"net/netip"
	"sync"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/http1"
)

// Long polling (spec §3): sockets of clients that can only send HTTP requests. A
// GET makes a session, or waits for its messages; a POST brings some. The status
// that the client looks at is in the JSON body.

// An exchange is a long-poll request and its answer. It belongs to the loop of its
// connection, except for the parts that a turn on the worker pool works on.
type exchange struct {
	conn     *poller.Conn
	requests *requests
	mount    *mount
	polls    *pollSessions
	vars     map[string]string // of the path
	text     []byte            // of the head; lent by the loop, until keepHead
	head     http1.Head        // parts of it
	session  *pollSession      // that it has the token of, or nil
	far      *farSession       // likewise, if another node has it
	params   Params            // of the query, if there is no session
	body     []byte            // lent by the loop, until keep
	parts    frame.Parts       // the body instead, if it is large and came bit by bit
	attempt  attempt           // to connect, if there is no session
	client   netip.Addr        // whose place the session has; not valid if it has none
	closes   bool              // the connection ends with the answer
	over     bool              // answered
}

// begin answers the request, or sees to it that it will be answered: first of
// all, it looks at where it comes from. A function of the application's does
// that on the worker pool.
func (x *exchange) begin() {
	switch none := x.session == nil && x.far == nil && x.params == nil && !x.long(); {
	case none && x.creates(): // not even a query
		x.began(x.look())
		return
	case none:
		x.respond(http.StatusBadRequest, "", nil)
		return
	}
	origin, given := x.head.Get("origin")
	switch {
	case !given:
		x.route()
	case x.mount.CheckOrigin == nil:
		x.checked(x.allows(string(origin)), nil)
	default:
		x.keep()
		x.keepHead()
		x.consult("CheckOrigin", func() {
			allowed, err := false, error(errLeft) // unless it returns
			defer func() { x.conn.Post(func() { x.checked(allowed, err) }) }()
			allowed, err = x.askOrigin()
		})
	}
}

func (x *exchange) askOrigin() (allowed bool, err error) {
	defer x.mount.contain(&err)
	origin, _ := x.head.Get("origin")
	return x.allows(string(origin)), nil
}

func (x *exchange) allows(origin string) bool {
	return x.mount.allows(origin, x.requests.origin.scheme(), string(x.head.Host))
}

func (x *exchange) checked(allowed bool, err error) {
	switch {
	case err != nil:
		x.refused(err)
		x.crashed()
	case !allowed:
		x.refused(&RefuseError{cause: errOrigin})
		x.status(http.StatusForbidden)
	default:
		x.route()
	}
}

// route brings the request to its session, by the table of spec §3.2.
func (x *exchange) route() {
	switch s := x.session; string(x.head.Method) {
	case http.MethodGet:
		switch {
		case x.far != nil:
			x.forward()
		case s != nil && s.get(x):
			x.recycle()
		default:
			x.create()
		}
	case http.MethodPost:
		if x.far != nil {
			x.forward()
		} else if s == nil || !s.post(x) {
			x.status(http.StatusGone)
		}
	case http.MethodOptions:
		fields := "Access-Control-Allow-Methods: get, post, options\r\nAccess-Control-Max-Age: 3600\r\n"
		for _, asked := range x.head.Values("access-control-request-headers") {
			fields += "Access-Control-Allow-Headers: " + asked + "\r\n"
		}
		x.respond(http.StatusOK, fields, nil)
	default:
		x.respond(http.StatusBadRequest, "", nil)
	}
}

// exchanges is for those that come: most are polls, which need none while they wait.
var exchanges = sync.Pool{New: func() any { return new(exchange) }}

// recycle gives x up: nothing refers to it any more.
func (x *exchange) recycle() {
	*x = exchange{}
	exchanges.Put(x)
}

// remote is the address of the client.
func (x *exchange) remote() string {
	proxies := &x.requests.endpoint.proxies
	peer := x.requests.remoteAddr(x.conn)
	if len(proxies.trusted) == 0 {
		return peer
	}
	return proxies.clientOf(peer, x.head.Values(proxies.field))
}

// keep makes the body the exchange's own.
func (x *exchange) keep() { x.body = bytes.Clone(x.body) }

// keepHead makes the head the exchange's own.
func (x *exchange) keepHead() {
	x.text = bytes.Clone(x.text)
	x.head, _ = http1.Parse(x.text) // it was good before
}

// dropHead is for who has got what it needs of the head.
func (x *exchange) dropHead() { x.text, x.head = nil, http1.Head{} }

// dropBody is likewise.
func (x *exchange) dropBody() { x.body, x.parts = nil, frame.Parts{} }

// later runs a step on the loop of the connection; see asker.
func (x *exchange) later(step func()) { x.conn.Post(step) }

// fail ends the connection; see asker.
func (x *exchange) fail(err error) { x.conn.Kill(err) }

// wait has w told when the session's window has passed, or the client is gone.
func (x *exchange) wait(w waiter) {
	x.requests.waiting = w
	x.conn.SetDeadline(x.polls.window)
}

// status answers with a status in the body and nothing else.
func (x *exchange) status(code int) bool {
	return x.respond(http.StatusOK, jsonField, statusBody(code))
}

// crashed answers after a panic of the application's: clients that find it in
// the body come back later.
func (x *exchange) crashed() {
	x.respond(http.StatusInternalServerError, jsonField, statusBody(http.StatusInternalServerError))
}

// respond sends the one answer, with fields beside the usual ones. It reports whether
// the connection took it. Loop only.
func (x *exchange) respond(status int, fields string, body []byte) bool {
	if x.over {
		return false
	}
	x.over = true
	length := len(body)
	if string(x.head.Method) == http.MethodHead {
		body = nil
	}
	x.closes = x.closes || x.mount.draining.Load()
	return writeAnswer(func(b []byte) bool {
		b = appendHead(b, status, fields, x.closes, length)
		return x.requests.respond(x.conn, append(b, body...), x.closes)
	})
}

// consult runs a callback of the mount where Connect and CheckOrigin belong.
func (x *exchange) consult(callback string, run func()) {
	x.mount.connects.Go(&consultation{turnFunc(run), x.mount, callback})
}

// A consultation is a callback of a mount that is asked about an exchange.
type consultation struct {
	turnFunc
	mount    *mount
	callback string
}

func (c *consultation) describe() []any { return []any{"mount", c.mount.Path, "callback", c.callback} }

// A turnFunc is a turn that is a function.
type turnFunc func()

// Turn calls f; see poller.Pool.
func (f turnFunc) Turn() { f() }
