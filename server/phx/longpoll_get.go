package phx

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A poll is a GET that waits for messages. It belongs to the loop of its
// connection.
type poll struct {
	*exchange
	session *pollSession
}

// get answers a GET with what there is, or makes it wait. Of several that wait,
// the last gets the messages; for the others their window just passes (spec
// §3.2). It reports false if the session has ended. x's loop only.
func (s *pollSession) get(x *exchange) bool {
	x.conn.CheckLoop()
	p := &poll{x, s}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return false
	}
	s.polled = time.Now()
	s.waiting, s.woken = nil, false
	if len(s.messages) > 0 {
		s.answerLocked(p, http.StatusOK)
		return true
	}
	if x.conn.Handler() != poller.Handler(x.requests) { // gone while CheckOrigin was asked: nobody waits
		return true
	}
	s.waiting = p
	x.wait(p)
	return true
}

// answerLocked gives p the messages, or the status if there are none. They are
// kept if the connection turns out to be gone; in Phoenix they would be lost.
func (s *pollSession) answerLocked(p *poll, ifNone int) {
	if len(s.messages) == 0 {
		p.none(ifNone)
		return
	}
	body := fmt.Appendf(nil, `{"status":200,"token":"%s","messages":[%s]}`, s.token, bytes.TrimSuffix(s.messages, []byte(",")))
	if p.respondJSON(http.StatusOK, body) {
		s.tookLocked()
	}
}

// none answers without messages. What has ended has no token any more.
func (p *poll) none(status int) {
	answer := pollAnswer{status, p.session.token, []string{}}
	if status == http.StatusGone {
		answer.Token = ""
	}
	p.json(http.StatusOK, answer)
}

// wakeLocked has the waiting poll fetch what there is, a moment later: messages
// that come in one burst travel together (spec §3.2).
func (s *pollSession) wakeLocked() {
	if s.waiting != nil && !s.woken {
		s.woken = true
		s.waiting.conn.Post(s.waiting.fetch)
	}
}

// fetch answers the poll if it still is the one that waits: with messages or,
// as it was woken, because the session has ended.
func (p *poll) fetch() { p.settle(http.StatusGone) }

// expire answers the poll when its window has passed; see waiter.
func (p *poll) expire() {
	if !p.settle(http.StatusNoContent) {
		p.none(http.StatusNoContent) // another has taken its place
	}
}

// settle answers the poll that waits, and reports false if that is another.
func (p *poll) settle(ifNone int) bool {
	s := p.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting != p {
		return false
	}
	s.waiting, s.woken = nil, false
	s.answerLocked(p, ifNone)
	return true
}

// abandon leaves the messages to the next poll; see waiter.
func (p *poll) abandon(error) {
	s := p.session
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.waiting == p {
		s.waiting, s.woken = nil, false
	}
}
