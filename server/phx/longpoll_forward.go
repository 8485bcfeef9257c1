package phx

import (
	"errors"
	"net/http"
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/http1"
)

// A farSession is a session that another node has, by a token that was found good.
type farSession struct{ node, id, token string }

// A forwarded is a request of a client of this node whose session another node has.
// It belongs to the loop of its connection.
type forwarded struct {
	*exchange
	others *others
	id     requestID
	isPost bool        // else it is a GET
	lines  bool        // messages of its body are lines
	bytes  int         // of its body, while they count in others.crossing
	times  int         // that it was sent since the other node has said that it waits
	joins  bool        // a turn is sending it
	known  bool        // the other node has it
	got    frame.Parts // what has come of the answer
	sentAt uint32      // when the client was sent messages; see clock.mark
	done   bool        // it is forgotten
}

// forward has the node that has the session take the request.
func (x *exchange) forward() {
	if x.conn.Handler() != poller.Handler(x.requests) { // gone while CheckOrigin was asked
		return
	}
	f := &forwarded{exchange: x, others: x.polls.others, isPost: string(x.head.Method) == http.MethodPost}
	x.requests.waiting = f
	if f.isPost {
		f.sendPost()
	} else {
		f.sendPoll()
	}
}

// remember makes a request known. It reports false if too much of others is on its way.
func (o *others) remember(f *forwarded, bytes int) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.crossing > 0 && bytes > 0 && o.crossing+bytes > maxCrossing {
		return false
	}
	o.crossing += bytes
	o.last++
	f.id, f.bytes = requestID{o.start, o.last}, bytes
	o.asked[f.id.n] = f
	return true
}

// forget forgets the request.
func (f *forwarded) forget() {
	o := f.others
	o.mu.Lock()
	defer o.mu.Unlock()
	if !f.done {
		f.done = true
		o.crossing -= f.bytes
		delete(o.asked, f.id.n)
	}
}

func (f *forwarded) sendPoll() {
	f.requests.hold(0) // a body would mean nothing
	f.dropBody()
	f.keepHead() // for create
	f.others.remember(f, 0)
	f.transmit()
}

// sendPost keeps the body until it is known what has become of it.
func (f *forwarded) sendPost() {
	f.lines = isNDJSON(&f.head)
	f.dropHead()
	n := max(f.parts.Len(), len(f.body))
	large := n
	if large <= maxInline {
		large = 0
	}
	if !f.requests.hold(n) || !f.others.remember(f, large) {
		f.refuse()
		return
	}
	if f.parts.Len() == 0 {
		f.keep()
	}
	f.transmit()
}

// transmit sends the request, perhaps not for the first time: the other node takes it
// once. A large body goes in a turn, as to copy it would hold the loop.
func (f *forwarded) transmit() {
	if f.joins { // then sent sees to it
		return
	}
	f.times++
	switch {
	case !f.isPost:
		f.sent(f.say(parcelPoll))
	case f.bytes == 0:
		f.sent(f.others.send(f.far.node, f.post(), f.body))
	default:
		f.joins = true
		p, body, parts := f.post(), f.body, f.parts
		f.mount.unpackers.Go(turnFunc(func() {
			if parts.Len() > 0 {
				body = parts.Join()
			}
			err := f.others.send(f.far.node, p, body)
			f.conn.Post(func() {
				f.joins = false
				f.body, f.parts = body, frame.Parts{}
				f.sent(err)
			})
		}))
	}
}

func (f *forwarded) post() parcel {
	return parcel{kind: parcelPost, request: f.id, session: f.far.id, lines: f.lines}
}

// say sends the node of the session a parcel without a body.
func (f *forwarded) say(kind parcelKind) error {
	return f.others.send(f.far.node, parcel{kind: kind, request: f.id, session: f.far.id, before: f.requests.before}, nil)
}

// sent waits for the other node to say that it has the request, or answers if that was
// not sent.
func (f *forwarded) sent(err error) {
	switch again := f.times > 1; {
	case f.done, f.known, f.over: // it was quick
	case err == nil && f.bytes > 0: // it may take its time
		f.conn.SetDeadline(f.polls.nodeTimeout)
	case err == nil, again && !errors.Is(err, pubsub.ErrUnknownNode):
		f.conn.SetDeadline(f.polls.nodeTimeout / asks)
	case again:
		f.giveUp()
	case errors.Is(err, pubsub.ErrUnknownNode):
		f.gone()
	default:
		f.refuse()
	}
}

// gone answers that there is no such session: a GET makes a new one.
func (f *forwarded) gone() {
	f.forget()
	if f.isPost {
		f.status(http.StatusGone)
	} else {
		f.create()
	}
}

// refuse answers that the way to the other node is overloaded. Clients try again
// later.
func (f *forwarded) refuse() {
	f.forget()
	f.respond(http.StatusServiceUnavailable, "", nil)
}

// giveBack tells the node of the session that the client has not got messages by this
// poll, and will not.
func (f *forwarded) giveBack() {
	if f.done {
		return
	}
	f.others.mu.Lock()
	f.others.returned.set(f.id.n, 0)
	f.others.mu.Unlock()
	_ = f.say(parcelBack) // logged; and it will ask
	f.forget()
}

// giveUp answers when the node of the session does not say what has become of the
// request: the messages of a POST may have been taken.
func (f *forwarded) giveUp() {
	if f.isPost {
		f.forget()
		f.status(http.StatusRequestTimeout)
		return
	}
	f.giveBack()
	if f.known {
		f.answerPoll(http.StatusNoContent, nil)
	} else {
		f.gone()
	}
}

// expire sends the request again if the node of the session has said nothing, and
// answers when that was for too long or the window has passed; see waiter.
func (f *forwarded) expire() {
	switch {
	case f.done:
	case f.joins:
		f.conn.SetDeadline(f.polls.nodeTimeout / asks)
	case f.times < asks && (f.isPost || !f.known):
		f.known = false
		f.transmit()
	default:
		f.giveUp()
	}
}

// leave answers a poll as if its window had passed. The client will find the session
// by way of another node.
func (f *forwarded) leave() {
	if !f.isPost && !f.over {
		f.known = true
		f.giveUp()
	}
}

// answered reports whether the loop need not wait for the answer any more. A client
// that sends more has got the answer before; see waiter.
func (f *forwarded) answered(more bool) bool {
	if more && f.over && !f.done {
		f.requests.before = f.id.n // the next poll tells
		f.forget()
	}
	return f.over
}

// abandon is called when the connection ends: messages that the client has not taken
// go back, as a poll's do; see waiter.
func (f *forwarded) abandon(why error) {
	switch {
	case f.done:
	case f.isPost:
		f.forget()
	case f.over && (why == errTooEarly || f.conn.Delivered()):
		_ = f.say(parcelKept) // logged; and it will ask
		f.forget()
	default:
		f.giveBack()
	}
}

// hear takes what another node says of a request of this one.
func (o *others) hear(p *parcel) {
	o.mu.Lock()
	f := o.asked[p.request.n]
	o.mu.Unlock()
	if f == nil || p.request.start != o.start { // this node has started again
		o.stray(p)
		return
	}
	f.conn.Post(func() { f.hear(p) })
}

// stray takes a parcel for a request that is not known any more. The other node was
// told the outcome, but may not have heard it. Nothing is known of requests that are
// long over, or older than the start of this node.
func (o *others) stray(p *parcel) {
	if p.kind != parcelSettle && (p.kind != parcelAnswer || p.size == 0) || p.request.start != o.start {
		return
	}
	o.mu.Lock()
	outcome, back := o.returned.get(p.request.n)
	o.mu.Unlock()
	if outcome != unknownOutcome {
		o.settle(p, !back)
	}
}

// settle tells the node of a session whether the client may have got an answer.
func (o *others) settle(p *parcel, got bool) {
	kind := parcelBack
	if got {
		kind = parcelKept
	}
	_ = o.send(p.node, parcel{kind: kind, request: p.request, session: p.session}, nil) // logged
}

// hear is on the loop.
func (f *forwarded) hear(p *parcel) {
	switch {
	case f.done:
		f.others.stray(p)
	case p.kind == parcelSettle:
		f.settle(p)
	case f.over:
	case p.kind == parcelWaits:
		f.waits(p.status)
	default:
		f.collect(p)
	}
}

// waits goes on to wait, now that the other node says that it has the request, or of
// a POST inPart. That node answers a POST when its window has passed.
func (f *forwarded) waits(status int) {
	f.known = true
	switch {
	case !f.isPost:
		f.conn.SetDeadline(f.polls.window)
		return
	case status != inPart:
		f.times = 0
	}
	f.conn.SetDeadline(f.polls.nodeTimeout)
}

// settle says what has become of the answer, as the client polls some other way: as
// soon as it is confirmed, its connection ends, or that is late (see confirmTime).
func (f *forwarded) settle(p *parcel) {
	switch {
	case !f.over: // it has not come, and is not taken any more
		f.known = true
		f.giveUp()
	case f.conn.Delivered():
		f.others.settle(p, true)
	case f.mount.since(f.sentAt) > confirmTime:
		f.giveBack()
		f.conn.Kill(errAborted)
	default:
		time.AfterFunc(confirmTime/20, func() { f.conn.Post(func() { f.hear(p) }) })
	}
}

// collect takes a part of the answer. If one is lost, the others come to nothing.
func (f *forwarded) collect(p *parcel) {
	if p.whole() {
		f.finish(p.status, p.part)
		return
	}
	if p.at == 0 { // perhaps not for the first time
		f.got = frame.Parts{}
	}
	if p.at != f.got.Len() {
		return
	}
	f.got.Add(p.part)
	switch fits := f.requests.hold(f.got.Held()); {
	case !fits:
		f.giveBack()
		f.refuse()
	case f.got.Len() == p.size:
		f.finish(p.status, f.got.Join())
	default:
		f.known = true // what is lost of it is given back
		f.conn.SetDeadline(f.polls.nodeTimeout)
	}
}

// finish answers.
func (f *forwarded) finish(status int, messages []byte) {
	switch {
	case status == noSession:
		f.gone()
	case !f.isPost:
		f.answerPoll(status, messages)
	case status == lostPart && f.times < asks:
		f.known = false
		f.transmit()
	case status == lostPart:
		f.refuse()
	case status == http.StatusServiceUnavailable, status == http.StatusInternalServerError:
		f.forget()
		f.respond(status, "", nil)
	default:
		f.forget()
		f.status(status)
	}
}

// answerPoll answers a GET. If that has messages, it is not forgotten until they are
// known to have arrived.
func (f *forwarded) answerPoll(status int, messages []byte) {
	token := f.far.token
	if status == http.StatusGone { // as in answerLocked
		token = ""
	}
	piped := len(f.requests.buf) > 0 // then the next request tells nothing
	sent := f.respond(http.StatusOK, jsonField, appendPollBody(make([]byte, 0, pollBodySize(token, len(messages))), status, token, messages))
	f.text, f.head, f.got = nil, http1.Head{}, frame.Parts{}
	switch {
	case len(messages) > 0 && !sent:
		f.giveBack()
	case len(messages) > 0 && !piped && !f.done:
		f.sentAt = f.mount.mark()
		f.requests.waiting = f
	default:
		f.forget()
	}
}
