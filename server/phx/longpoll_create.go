package phx

import (
	"errors"
	"net/http"

	"github.com/roost-rt/roost/server/internal/packet"
)

var errNoPlace = errors.New("there is no place for another session")

// create makes a session for a GET that has none (spec §3.2). Connect is asked
// on the worker pool.
func (x *exchange) create() {
	x.attempt = x.mount.attempt("longpoll")
	x.attempt.params = x.params
	switch polls := x.polls; {
	case !polls.reserve():
		// The client takes the status for a crash and tries again later; of any
		// other it would not know what to think (spec §3.8).
		x.attempt.settle(nil, errNoPlace)
		x.status(http.StatusInternalServerError)
	case x.mount.Connect == nil:
		x.created(x.connect())
	default:
		asking := x.requests.ask(x.conn)
		x.request = x.request.WithContext(asking.ctx)
		x.onPool(func() {
			var s *pollSession
			var err error = &RefuseError{Status: http.StatusInternalServerError, cause: errPanic} // unless it returns
			defer func() { x.conn.Post(func() { x.created(s, err) }) }()
			defer asking.done()
			s, err = x.connect()
		})
	}
}

// connect returns a session that is not open yet. Its error is a *RefuseError,
// also when the application panics.
func (x *exchange) connect() (_ *pollSession, err error) {
	m := x.mount
	defer m.contain(&err)
	d := m.dialect(x.params, packet.Quoted)
	if d == nil {
		return nil, &RefuseError{cause: errVersion}
	}
	s := newPollSession(x.polls, d, x.request.RemoteAddr)
	if m.Connect == nil {
		return s, nil
	}
	var token *string
	if sent := x.request.Header["X-Phoenix-Authtoken"]; m.AuthToken && len(sent) == 1 { // of two there is none, as in bearer
		token = &sent[0]
	}
	x.request.TLS = x.conn.ConnectionState()
	if refusal := x.requests.connect(s.socket, x.params, x.request, token); refusal != nil {
		return nil, refusal
	}
	return s, nil
}

// created answers with the new session, which ends at once if the client does
// not learn of it. The place that was reserved is its own. What the status of a
// RefuseError is does not matter here (spec §1.3).
func (x *exchange) created(s *pollSession, err error) {
	if err != nil {
		x.attempt.settle(nil, err)
		x.polls.release()
	}
	switch {
	case errors.Is(err, errPanic):
		x.crashed()
	case err != nil:
		x.status(http.StatusForbidden)
	case !s.open(&x.attempt):
		x.status(http.StatusInternalServerError) // as in create
	case !x.json(http.StatusOK, pollAnswer{http.StatusGone, s.token, []string{}}):
		s.Kill(errClientGone)
	}
}
