package phx

import (
	"errors"
	"net/http"

	"github.com/roost-rt/roost/server/internal/packet"
	"github.com/roost-rt/roost/server/wire"
)

var errNoPlace = errors.New("there is no place for another session")

// create makes a session for a GET that has none (spec §3.2). Connect is asked
// on the worker pool, and a long query is read there.
func (x *exchange) create() {
	if !x.long() {
		x.looked(x.look())
		return
	}
	x.keepHead()
	x.mount.unpackers.Go(turnFunc(func() {
		err := x.look()
		x.conn.Post(func() { x.looked(err) })
	}))
}

// long reports whether the query is not for the loop to read.
func (x *exchange) long() bool { return len(x.head.Query) > longQuery }

// looked goes on with an attempt, or answers that the query is invalid.
func (x *exchange) looked(err error) {
	if !x.began(err) {
		return
	}
	x.client = x.requests.endpoint.householdOf(x.remote())
	switch polls := x.polls; {
	case !polls.reserve(x.client):
		// The client takes the status for a crash and tries again later; of any
		// other it would not know what to think (spec §3.8).
		x.attempt.settle(nil, errNoPlace)
		x.status(http.StatusInternalServerError)
	case x.mount.Connect == nil:
		s, err := x.connect(nil)
		x.settleRefused(err)
		x.created(s, err)
	default:
		asking := x.requests.ask(x.conn)
		x.keepHead()
		x.consult("Connect", func() {
			var s *pollSession
			var err error = &RefuseError{Status: http.StatusInternalServerError, cause: errPanic} // unless it returns
			defer func() {
				x.settleRefused(err)                                          // not on the loop: the text of the error may be the application's
				if !x.conn.Post(func() { x.created(s, err) }) && err == nil { // Shutdown has not waited for it
					s.socket.reject()
					x.attempt.settle(nil, errClientGone)
				}
			}()
			defer asking.done()
			s, err = x.connect(asking)
		})
	}
}

// look begins an attempt to connect. It fails if the query is invalid.
func (x *exchange) look() (err error) {
	x.attempt = x.mount.attempt("longpoll")
	if x.params == nil { // it is long or none, or there was a session a moment ago
		x.params, err = wire.ParseQuery(string(x.head.Query))
	}
	if err == nil {
		x.attempt.take(x.params, x.vars)
	}
	return err
}

// began reports whether an attempt has begun. If not, it answers that the query is
// none.
func (x *exchange) began(err error) bool {
	if err != nil {
		x.attempt.settle(nil, &RefuseError{Status: http.StatusBadRequest, cause: err})
		x.respond(http.StatusBadRequest, "", nil)
	}
	return err == nil
}

// refused says that a request was not let in: one that is to make a session. Whoever
// refuses does not wait for a long query.
func (x *exchange) refused(why error) {
	switch {
	case !x.creates():
	case x.long():
		x.attempt = x.mount.attempt("longpoll")
		x.attempt.settle(nil, why)
	case x.began(x.look()):
		x.attempt.settle(nil, why)
	}
}

// creates reports whether the request is to make a session.
func (x *exchange) creates() bool {
	return x.session == nil && x.far == nil && string(x.head.Method) == http.MethodGet
}

// connect returns a session that is not open yet. asking is for Connect. Its error is a *RefuseError,
// also when the application panics.
func (x *exchange) connect(asking *asking) (_ *pollSession, err error) {
	m := x.mount
	defer m.contain(&err)
	d := m.dialect(x.attempt.params, packet.Quoted)
	if d == nil {
		return nil, &RefuseError{cause: errVersion}
	}
	s := newPollSession(x.polls, d, x.remote())
	s.client = x.client
	if m.Connect == nil {
		return s, nil
	}
	r, err := x.head.Request()
	if err != nil {
		return nil, &RefuseError{cause: err}
	}
	var token *string
	if sent := r.Header["X-Phoenix-Authtoken"]; m.AuthToken && len(sent) == 1 { // two count as none, as in bearer
		token = &sent[0]
	}
	r = r.WithContext(asking.ctx)
	r.RemoteAddr, r.TLS = x.remote(), x.conn.ConnectionState()
	if refusal := x.requests.connect(s.socket, x.attempt.params, r, token); refusal != nil {
		return nil, refusal
	}
	return s, nil
}

// settleRefused says that a client was refused, if it was.
func (x *exchange) settleRefused(err error) {
	if err != nil {
		x.attempt.settle(nil, err)
	}
}

// created answers with the new session, which ends at once if the client does
// not learn of it. The session takes the place that was reserved. The status of a
// RefuseError does not matter here (spec §1.3).
func (x *exchange) created(s *pollSession, err error) {
	if err != nil {
		x.polls.release(x.client)
	}
	switch refusal, _ := err.(*RefuseError); {
	case refusal != nil && refusal.cause == errPanic: // errors.Is would ask the application's errors
		x.crashed()
	case err != nil:
		x.status(http.StatusForbidden)
	case !s.open(&x.attempt):
		x.status(http.StatusInternalServerError) // as in create
	case !x.respond(http.StatusOK, jsonField, appendPollBody(nil, http.StatusGone, s.token, nil)):
		s.Kill(errClientGone)
	}
}
