package phx

import (
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
)

const (
	noSession = 0 // as the status of an answer to another node: there is no such session
	lostPart  = 1 // likewise: a part of the POST is lost, and nothing of it was taken
	inPart    = 1 // as for a POST that waits for its other parts
)

// A foreign is a request of a client that another node has, to a session of this one.
type foreign struct {
	others  *others
	node    string
	session string // id
	request requestID
	before  uint64

	// Guarded by pollSession.mu.
	asked int         // times: what has become of the answer
	timer *time.Timer // asks again, or ends the wait
}

func (o *others) foreign(p *parcel) foreign {
	return foreign{others: o, node: p.node, session: p.session, request: p.request, before: p.before}
}

// say sends the node of the client a parcel without a body.
func (f *foreign) say(kind parcelKind) error { return f.send(kind, 0, nil) }

// answer reports whether the answer is on its way.
func (f *foreign) answer(status int, messages []byte) bool {
	return f.send(parcelAnswer, status, messages) == nil // logged
}

func (f *foreign) send(kind parcelKind, status int, body []byte) error {
	return f.others.send(f.node, parcel{kind: kind, request: f.request, session: f.session, status: status}, body)
}

// takePoll takes a GET that another node has.
func (o *others) takePoll(p *parcel) {
	from := o.foreign(p)
	if s := o.byIDOf(p.session); s == nil || !s.getFrom(&from) {
		from.answer(noSession, nil)
	}
}

// getFrom is get for a GET that another node has. That looks after its window.
func (s *pollSession) getFrom(from *foreign) bool {
	s.mu.Lock()
	defer s.unlock()
	switch {
	case s.ended:
		return false
	case s.waiting.of(from.request): // it has come again
	case s.last.of(from.request): // likewise: the answer may be lost
		if !s.asking {
			from.answer(http.StatusOK, s.sent.appendTo(nil))
		}
		return true
	default:
		s.waitForLocked(from)
	}
	if !s.woken {
		_ = from.say(parcelWaits) // logged
	}
	return true
}

// waitForLocked has a new poll wait.
func (s *pollSession) waitForLocked(from *foreign) {
	p := &poll{session: s, from: from}
	s.comesLocked(p)
	if s.waiting = p; s.messages.size > 0 {
		s.wakeLocked()
	}
}

// asks is how often something is asked for that another node must know, in the time
// that it has.
const asks = 4

var errUnsettled = errors.New("another node has not said whether the client has got its last messages")

// askLocked asks the node that has the last answer what has become of it. Until it
// says, polls wait.
func (s *pollSession) askLocked() {
	last, wait := s.last, max(s.polls.nodeTimeout, 2*confirmTime)/asks
	last.from.asked++
	if err := last.from.say(parcelSettle); errors.Is(err, pubsub.ErrUnknownNode) { // logged
		last.from.asked, wait = asks, 0
	}
	last.from.timer = time.AfterFunc(wait, func() { s.unsettled(last) })
}

// unsettled asks again, or ends the session: if the node has died, there is no telling
// whether the client would get the messages twice.
func (s *pollSession) unsettled(p *poll) {
	s.mu.Lock()
	asking := s.asking && s.last == p
	again := asking && p.from.asked < asks
	if again {
		s.askLocked()
	}
	s.unlock()
	if asking && !again {
		s.Kill(errUnsettled)
	}
}

// settled ends a poll of another node, or the wait for what has become of its
// answer: that goes back, or the client may have got it.
func (s *pollSession) settled(request requestID, back bool) {
	s.mu.Lock()
	defer s.unlock()
	if s.waiting.of(request) && back {
		s.waiting, s.woken = nil, false
	}
	if s.last.of(request) {
		s.settledLocked(back)
	}
}

// settledLocked is settled for the last answer.
func (s *pollSession) settledLocked(back bool) {
	if s.asking {
		s.last.from.timer.Stop()
	}
	s.asking = false
	if back {
		s.putBackLocked()
		return
	}
	s.last = nil
	if s.messages.size > 0 {
		s.wakeLocked()
	}
}

// of reports whether the poll is a request of another node's.
func (p *poll) of(request requestID) bool {
	return p != nil && p.from != nil && p.from.request == request
}

// A comingPost is a large POST of another node, until all of it has come.
type comingPost struct {
	parts frame.Parts
	limit *time.Timer // ends the wait for the next part
}

// takePost takes a POST that another node has, or a part of it. One that has come again
// is answered again: its messages are taken once.
func (o *others) takePost(p *parcel) {
	from := &foreignPost{foreign: o.foreign(p)}
	status, taken := o.outcome(p.request)
	s := o.byIDOf(p.session)
	switch {
	case taken && p.at > 0: // the first part was answered
	case taken && status == 0:
		_ = from.say(parcelWaits) // logged
	case taken && status == unknownOutcome:
		from.answer(http.StatusRequestTimeout, nil)
	case taken:
		from.answer(status, nil)
	case s == nil || p.size > maxBody:
		if p.at == 0 {
			from.status(http.StatusGone)
		}
	case p.whole():
		from.begin(s, p, p.part, frame.Parts{})
	default:
		o.gather(s, from, p)
	}
}

// outcome returns the status of a POST, or 0 while it is being taken. taken is false if
// the POST was not taken.
func (o *others) outcome(request requestID) (status int, taken bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.taken.get(request)
}

func (o *others) setOutcome(request requestID, status int) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.taken.set(request, status)
}

// gather puts a part to the others of its POST. If there is no room for it, or one
// before it is lost, all of them are given up: then the POST comes again.
func (o *others) gather(s *pollSession, from *foreignPost, p *parcel) {
	o.mu.Lock()
	if p.at == 0 {
		o.dropLocked(p.request)
	}
	c := o.coming[p.request]
	switch {
	case c == nil && p.at > 0:
		o.mu.Unlock()
		from.lost(p)
		return
	case c == nil:
		c = &comingPost{limit: time.AfterFunc(o.nodeTimeout, func() { o.giveUp(from) })}
		o.coming[p.request] = c
	}
	held, lost := c.parts.Held(), c.parts.Len() != p.at
	c.parts.Add(p.part)
	fits := o.incoming.add(c.parts.Held()-held, c.parts.Held())
	whole := c.parts.Len() == p.size
	switch {
	case lost || !fits:
		o.dropLocked(p.request)
	case whole:
		c.limit.Stop()
		delete(o.coming, p.request)
	default:
		c.limit.Reset(o.nodeTimeout)
	}
	o.mu.Unlock()
	switch {
	case !fits:
		from.answer(http.StatusServiceUnavailable, nil)
	case lost:
		from.lost(p)
	case whole:
		from.held = c.parts.Held()
		from.begin(s, p, nil, c.parts)
	case p.at == 0: // the rest may take its time
		_ = from.send(parcelWaits, inPart, nil) // logged
	}
}

// giveUp gives up a POST whose next part does not come.
func (o *others) giveUp(from *foreignPost) {
	o.mu.Lock()
	there := o.dropLocked(from.request)
	o.mu.Unlock()
	if there {
		from.answer(lostPart, nil)
	}
}

// dropLocked drops what has come of a POST. It reports false if nothing has.
func (o *others) dropLocked(request requestID) bool {
	c := o.coming[request]
	if c == nil {
		return false
	}
	c.limit.Stop()
	o.incoming.add(-c.parts.Held(), 0)
	delete(o.coming, request)
	return true
}

// lost answers that a part was, once all have come that will.
func (f *foreignPost) lost(p *parcel) {
	if p.at+len(p.part) == p.size {
		f.answer(lostPart, nil)
	}
}

// A foreignPost is a POST that another node has; see asker. Its steps are turns of
// the pool that large messages have.
type foreignPost struct {
	foreign
	held int // bytes of the body that count in services.incoming

	mu     sync.Mutex     // held while a step is done; guards the rest
	timers [2]*time.Timer // for what has to be told if it goes on for longer
	over   bool           // answered
}

// begin has the session take the messages.
func (f *foreignPost) begin(s *pollSession, p *parcel, body []byte, parts frame.Parts) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.others.setOutcome(f.request, 0)
	if !s.enqueue(&post{asker: f, session: s, ndjson: p.lines, body: body, parts: parts}) {
		f.status(http.StatusGone)
	}
}

func (f *foreignPost) later(step func()) {
	f.others.unpackers.Go(turnFunc(func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		step()
	}))
}

// wait tells the other node, unless it is soon over, that its client has to wait.
func (f *foreignPost) wait(w waiter) {
	f.stop()
	f.timers[0] = time.AfterFunc(f.others.nodeTimeout/2, func() { _ = f.say(parcelWaits) }) // logged
	f.timers[1] = time.AfterFunc(f.others.window, func() { f.later(w.expire) })
}

func (f *foreignPost) stop() {
	for _, t := range f.timers {
		if t != nil {
			t.Stop()
		}
	}
}

// status answers.
func (f *foreignPost) status(code int) bool {
	if f.over {
		return false
	}
	f.over = true
	f.stop()
	f.others.incoming.add(-f.held, 0)
	f.others.setOutcome(f.request, code)
	return f.answer(code, nil)
}

// fail answers that this server is to blame.
func (f *foreignPost) fail(error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.status(http.StatusInternalServerError)
}
