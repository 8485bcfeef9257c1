package phx

import (
	"errors"
	"math"
	"net/http"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A poll is a GET that waits for messages. The answer comes from a turn, on an
// answerer, or when the window has passed from the loop of its connection, which
// learns of the first with what comes next.
type poll struct {
	session  *pollSession
	requests *requests
	conn     *poller.Conn
	from     *foreign // instead, if another node has the client
	closes   bool     // the connection ends with the answer

	over   bool   // answered; guarded by session.mu, as the rest
	behind bool   // more has come: the loop has to know when it is answered
	sentAt uint32 // see clock.mark
}

var errAborted = errors.New("the client polls elsewhere, and has not taken the last answer")

// get makes a GET wait for messages, if only for a turn. Of several that wait, the
// last gets the messages; for the others their window just passes (spec §3.2). It
// reports false if the session has ended. x's loop only.
func (s *pollSession) get(x *exchange) bool {
	x.conn.CheckLoop()
	x.requests.hold(0) // a body would mean nothing
	p := &poll{session: s, requests: x.requests, conn: x.conn, closes: x.closes, behind: len(x.requests.buf) > 0}
	s.mu.Lock()
	defer s.unlock()
	if s.ended {
		return false
	}
	s.comesLocked(p)
	if x.conn.Handler() != poller.Handler(x.requests) { // gone while CheckOrigin was asked: no one waits
		return true
	}
	s.waiting = p
	x.wait(p)
	if s.messages.size > 0 {
		s.wakeLocked()
	}
	return true
}

// comesLocked makes room for a poll that has come.
func (s *pollSession) comesLocked(p *poll) {
	s.polled = s.polls.mark()
	s.waiting, s.woken = nil, false
	s.settleLastLocked(p)
}

// settleLastLocked decides on the messages of the last answer when the client polls
// again. Over the same connection, a poll shows that they have arrived. A poll over
// another may mean that the first is dead, which may stay unknown for minutes: if it has
// left them unconfirmed for longer than TCP delays that, they go over the new one instead.
func (s *pollSession) settleLastLocked(p *poll) {
	switch last := s.last; {
	case last == nil:
	case p.from != nil && last.of(requestID{p.from.request.start, p.from.before}):
		s.settledLocked(false)
	case s.asking:
	case last.from == nil && last.conn == p.conn:
		s.last = nil
	case last.from != nil:
		s.asking = true
		s.askLocked()
	case s.socket.mount.since(last.sentAt) > confirmTime && !last.conn.Delivered():
		last.conn.Kill(errAborted)
		s.putBackLocked()
	}
}

// confirmTime is more than a receiver's TCP waits before it confirms (RFC 9293
// §3.8.6.3: less than half a second), and a way there and back.
const confirmTime = time.Second

// putBackLocked has the messages of the last answer wait again, before the others.
func (s *pollSession) putBackLocked() {
	if !s.ended {
		s.messages.putBack(s.sent)
		s.sent = pile{}
		s.wakeLocked()
	}
	s.last = nil
}

// wakeLocked has the waiting poll fetch what there is, in a turn: messages that come
// in one burst travel together (spec §3.2).
func (s *pollSession) wakeLocked() {
	if s.waiting != nil && !s.woken && !s.burst && !s.asking {
		s.woken = true
		s.answerer.wake(s.waiting)
	}
}

// together has what is sent in do travel together.
func (s *pollSession) together(do func()) {
	s.setBurst(true)
	defer s.setBurst(false)
	do()
}

func (s *pollSession) setBurst(on bool) {
	s.mu.Lock()
	defer s.unlock()
	if s.burst = on; !on && (s.messages.size > 0 || s.ended) {
		s.wakeLocked()
	}
}

// fetch answers the poll if it still is the one that waits: with messages or,
// as it was woken, because the session has ended.
func (p *poll) fetch() {
	p.session.mu.Lock()
	defer p.session.unlock()
	p.settleLocked(http.StatusGone)
}

// settleLocked answers the poll that waits with messages, or a status if there are
// none. They are kept if the connection turns out to be gone; in Phoenix they would
// be lost. It reports false if another poll waits.
func (p *poll) settleLocked(ifNone int) bool {
	s := p.session
	if s.waiting != p {
		return false
	}
	s.waiting, s.woken = nil, false
	if s.messages.size == 0 || s.asking {
		p.answerLocked(ifNone, &pile{})
		return true
	}
	most := math.MaxInt
	if p.from != nil {
		most = maxTaken
	}
	sent := s.messages.take(most)
	if !p.answerLocked(http.StatusOK, &sent) {
		s.messages.putBack(sent)
		return true
	}
	s.sent.drop(s.polls.poller) // of an earlier answer, which no one asks about
	s.last, s.sent, p.sentAt = p, sent, s.socket.mount.mark()
	if s.messages.size == 0 {
		s.tookLocked()
	}
	return true
}

// answerLocked sends the answer and reports whether the connection took it. A session
// that has ended has no token any more.
func (p *poll) answerLocked(status int, messages *pile) bool {
	if p.from != nil {
		p.over = p.from.answer(status, messages.appendTo(nil))
		return p.over
	}
	token := p.session.token
	if status == http.StatusGone {
		token = ""
	}
	closes := p.closes || p.requests.endpoint.draining.Load()
	p.over = writeAnswer(func(b []byte) bool {
		b = appendHead(b, http.StatusOK, jsonField, closes, pollBodySize(token, max(0, messages.size-len(","))))
		b = messages.appendTo(appendPollStart(b, status, token))
		return p.conn.Send(append(b, pollEnd...)) == nil
	})
	switch {
	case !p.over:
	case closes:
		p.conn.Finish(nil)
	case p.behind:
		p.conn.Post(p.resume)
	}
	return p.over
}

// resume goes on to what came behind the poll, unless that is done. Loop only.
func (p *poll) resume() {
	if p.requests.waiting == waiter(p) {
		p.requests.resume(p.conn)
	}
}

// expire answers the poll when its window has passed; see waiter.
func (p *poll) expire() {
	p.session.mu.Lock()
	defer p.session.unlock()
	if !p.over && !p.settleLocked(http.StatusNoContent) {
		p.answerLocked(http.StatusNoContent, &pile{}) // another has taken its place
	}
}

// answered reports whether the poll is; see waiter.
func (p *poll) answered(more bool) bool {
	p.session.mu.Lock()
	defer p.session.unlock()
	p.behind = p.behind || more && !p.over
	return p.over
}

// confirm is for when another request has come over the connection: whoever has sent
// it has read the answer, unless it was there before. Whether the connection confirms
// what is sent later says nothing of that.
func (p *poll) confirm() {
	p.session.mu.Lock()
	defer p.session.unlock()
	if p.session.last == p && !p.behind {
		p.session.last = nil
	}
}

// abandon leaves the messages to the next poll, also those of an answer that the
// client has not confirmed. If the end is the client's own fault, it does not: the
// client may have read that answer, as TCP confirms late. See waiter.
func (p *poll) abandon(why error) {
	s := p.session
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.waiting == p:
		s.waiting, s.woken = nil, false
	case s.last == p && why != errTooEarly && !p.conn.Delivered():
		s.putBackLocked()
	}
}
