package phx

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/wire"
)

// Long polling (spec §3): sockets of clients that can only send HTTP requests. A
// GET makes a session, or waits for its messages; a POST brings some. The status
// that the client looks at is in the JSON body.

// An exchange is a long-poll request and its answer. It belongs to the loop of
// its connection, but for what a turn on the worker pool has of it meanwhile.
type exchange struct {
	conn     *poller.Conn
	requests *requests
	request  *http.Request
	mount    *mount
	polls    *pollSessions
	vars     map[string]string // of the path
	params   Params            // of the query and the path
	body     []byte            // lent by the loop, until keep
	parts    frame.Parts       // the body instead, if it is large and came bit by bit
	attempt  attempt           // to connect, if there is no session
	answered bool
}

// A pollAnswer is the body of most answers, but those with messages.
type pollAnswer struct {
	Status   int      `json:"status"`
	Token    string   `json:"token"`
	Messages []string `json:"messages"`
}

// begin answers the request, or sees to it that it will be answered: first of
// all, it looks at where it comes from. A function of the application's does
// that on the worker pool.
func (x *exchange) begin() {
	query, err := wire.ParseQuery(x.request.URL.RawQuery)
	if err != nil {
		x.respond(http.StatusBadRequest, nil, nil)
		return
	}
	x.params = query
	for name, value := range x.vars {
		x.params[name] = value
	}
	origin, given := x.request.Header["Origin"]
	switch {
	case !given:
		x.route()
	case x.mount.CheckOrigin == nil:
		x.checked(x.mount.allows(origin[0], x.requests.origin.scheme(), x.request.Host), nil)
	default:
		x.keep()
		x.onPool(func() {
			allowed, err := false, error(errLeft) // unless it returns
			defer func() { x.conn.Post(func() { x.checked(allowed, err) }) }()
			allowed, err = x.askOrigin(origin[0])
		})
	}
}

func (x *exchange) askOrigin(origin string) (allowed bool, err error) {
	defer x.mount.contain(&err)
	return x.mount.allows(origin, x.requests.origin.scheme(), x.request.Host), nil
}

func (x *exchange) checked(allowed bool, err error) {
	switch {
	case err != nil:
		x.crashed()
	case !allowed:
		x.status(http.StatusForbidden)
	default:
		x.route()
	}
}

// route brings the request to its session, by the table of spec §3.2.
func (x *exchange) route() {
	switch x.request.Method {
	case http.MethodGet:
		if s := x.session(); s == nil || !s.get(x) {
			x.create()
		}
	case http.MethodPost:
		if s := x.session(); s == nil || !s.post(x) {
			x.status(http.StatusGone)
		}
	case http.MethodOptions:
		header := http.Header{
			"Access-Control-Allow-Methods": {"get, post, options"},
			"Access-Control-Max-Age":       {"3600"},
		}
		if asked := x.request.Header["Access-Control-Request-Headers"]; asked != nil {
			header["Access-Control-Allow-Headers"] = asked
		}
		x.respond(http.StatusOK, header, nil)
	default:
		x.respond(http.StatusBadRequest, nil, nil)
	}
}

// session is the session that the request has the token of, or nil. Clients put
// the token into a header or, up to 1.8.16, behind the parameters of the
// application, of which one may have the same name: the last one counts, and
// one that is no session token is just a parameter (spec §3.3).
func (x *exchange) session() *pollSession {
	signed := x.request.Header.Get("X-Phoenix-Longpoll-Token")
	if signed == "" {
		signed = x.params.String("token")
	}
	return x.polls.find(signed)
}

// wantsBody reports whether a body is worth waiting for: one without a session is
// not, and nobody shall fill our memory with those.
func (x *exchange) wantsBody() bool {
	query, err := wire.ParseQuery(x.request.URL.RawQuery)
	x.params = query
	return err == nil && x.session() != nil
}

// keep makes the body the exchange's own.
func (x *exchange) keep() { x.body = bytes.Clone(x.body) }

// wait has w told when the session's window has passed, or the client is gone.
func (x *exchange) wait(w waiter) {
	x.requests.waiting = w
	x.conn.SetDeadline(x.polls.window)
}

// status answers with a status in the body and nothing else.
func (x *exchange) status(code int) bool {
	return x.json(http.StatusOK, map[string]int{"status": code})
}

// crashed answers after a panic of the application's: clients that find it in
// the body come back later.
func (x *exchange) crashed() {
	x.json(http.StatusInternalServerError, map[string]int{"status": http.StatusInternalServerError})
}

func (x *exchange) json(status int, answer any) bool {
	body, _ := json.Marshal(answer) // numbers and strings: it cannot fail
	return x.respondJSON(status, body)
}

func (x *exchange) respondJSON(status int, body []byte) bool {
	return x.respond(status, http.Header{"Content-Type": {"application/json; charset=utf-8"}}, body)
}

// respond sends the one answer. It reports whether the connection took it. Any
// page may read it: the origin was checked, and credentials are not allowed.
func (x *exchange) respond(status int, header http.Header, body []byte) bool {
	if x.answered {
		return false
	}
	x.answered = true
	if header == nil {
		header = make(http.Header)
	}
	header.Set("Access-Control-Allow-Origin", "*")
	header.Set("Cache-Control", "no-store")
	return x.requests.respond(x.conn, x.request, status, header, body)
}

// onPool runs a task where Connect and CheckOrigin belong.
func (x *exchange) onPool(task func()) { x.mount.connects.Go(turnFunc(task)) }

// A turnFunc is a turn that is a function.
type turnFunc func()

// Turn calls f; see poller.Pool.
func (f turnFunc) Turn() { f() }
