package phx

import (
	"errors"
	"log/slog"

	"github.com/roost-rt/roost/server/wire"
)

// do runs the Join callback and settles what became of it.
func (j *joinJob) do(ch *Channel) {
	t, p := ch.route().Type, Payload{j.message.Payload}
	if ch.hasEnded() { // the connection was faster
		return
	}
	span := ch.span(t.LogJoin, slog.LevelInfo, ch.services().hooks.Joined != nil)
	status, response, err := ch.decideJoin(p)
	span.end()
	gaveUp := ch.gaveUp(err)
	why, failed := ch.settleJoin(j, err == nil, status, response)
	if failed != nil {
		err = failed
	}
	if err != nil {
		defer ch.finish() // Terminate is for those who had joined
	}
	if gaveUp {
		return
	}
	ch.reportJoin(span, p, err)
	switch {
	case err != nil:
	case why != "": // only the connection's end kept it from joining
		ch.terminate(why)
	case t.Joined != nil:
		ch.act(Call{Callback: "Joined", Payload: p})
	}
}

// decideJoin runs the Join callback. It returns what to answer, and nil, a
// refusal, or a crash.
func (ch *Channel) decideJoin(p Payload) (status string, response wire.Payload, err error) {
	if t := ch.route().Type; t.Join == nil && t.Middleware == nil {
		return "ok", wire.Payload{}, nil
	}
	result, err := ch.call(Call{Callback: "Join", Payload: p})
	var refusal *ReplyError
	failed := err
	switch {
	case err == nil:
		status, response, failed = ch.services().settle(result)
	case errors.As(err, &refusal):
		status, response, failed = ch.services().settle(Reply{"error", refusal.Response})
	}
	if failed != nil {
		return "error", reason("join crashed"), failed
	}
	return status, response, err
}

// settleJoin answers the join and lets in what has waited for it. If the connection
// has ended meanwhile, it only returns why. An error is that the serializer cannot
// express the answer.
func (ch *Channel) settleJoin(j *joinJob, accepted bool, status string, response wire.Payload) (gone Reason, err error) {
	var end []byte
	if j.replaces != nil {
		end = j.replaces.endPacket("phx_close")
	}
	answer := func(accepted bool, status string, response wire.Payload) error {
		return ch.socket.codec.Encode(func(dst []byte) ([]byte, bool, error) {
			return ch.socket.codec.AppendReply(dst, j.message.JoinRef, j.message.Ref, ch.topic, status, response)
		}, func(packet []byte) error {
			gone = ch.settleJoinWith(packet, end, j, accepted)
			return nil
		})
	}
	if err = answer(accepted, status, response); err != nil && answer(false, "error", reason("join crashed")) != nil {
		gone = ch.settleJoinWith(nil, end, j, false)
	}
	if gone != "" {
		return gone, nil
	}
	return "", err
}

// settleJoinWith is settleJoin with the packets of the answer and of the end of the
// channel whose place it takes, either of which may be nil. Encoding them may take
// code of the application's, and locks are held here.
func (ch *Channel) settleJoinWith(packet, end []byte, j *joinJob, accepted bool) (gone Reason) {
	var out lateReplies
	s := ch.socket
	defer func() { s.give(out) }()
	s.mu.Lock()
	defer s.mu.Unlock()
	waiting, gone := ch.answerJoinLocked(packet, accepted)
	if gone != "" {
		return gone
	}
	if end != nil { // spec §1.11: after the new one's reply
		_ = s.send(end)
	}
	j.replaces, j.message = nil, wire.Message{}
	s.rerouteLocked(waiting, &out)
	return ""
}

// answerJoinLocked is settleJoin up to the answer, and returns what has waited for
// it. The answer comes before every other frame of the channel: whoever delivers to it
// waits for ch.mu. The socket is locked.
func (ch *Channel) answerJoinLocked(packet []byte, accepted bool) (waiting *mailbox, gone Reason) {
	s := ch.socket
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase == ended {
		return nil, s.whyLocked()
	}
	// The channel's own come first: what Join gave to Send is handled before any
	// client message, as in Phoenix, where the client still waits.
	waiting = ch.takeMessages()
	switch {
	case !accepted:
	case s.ending == isGone: // endJob is in the mailbox
		ch.phase = orphaned
	default:
		ch.phase = joined
		ch.services().pubsub.Subscribe(ch.topic, ch.events())
		ch.topic = ch.handle.Topic() // one string for all who joined
	}
	if packet != nil {
		_ = s.send(packet) // if the connection is gone, its end is on the way
	}
	if !accepted {
		ch.endLocked(Normal)
		ch.phase = closed
		s.channels.remove(ch)
	}
	return waiting, ""
}

// reportJoin says how a join has ended.
func (ch *Channel) reportJoin(s span, p Payload, err error) {
	lent := ch.services()
	text := "joined"
	var refusal *ReplyError
	switch refused := errors.As(err, &refusal); {
	case refused:
		text = "join refused"
	case err != nil:
		text = ""
		ch.reportCrash("join crashed", err)
	}
	if text != "" && s.logged() {
		s.line(text, err, "topic", ch.topic, "params", lent.cfg.Filter.payload(p))
	}
	tell(lent, lent.hooks.Joined, JoinEvent{Duration: s.took, Channel: ch, Payload: p, Err: err})
}

// rerouteLocked routes client messages that a channel did not come to: all of one
// topic. When one of them is a join, the rest waits for it as it is: to copy that
// again for each join of a long queue would be quadratic, and the event loop waits
// for the socket's lock.
func (s *Socket) rerouteLocked(waiting *mailbox, out *lateReplies) {
	for j, ok := waiting.First(); ok; j, ok = waiting.First() {
		m := messageOf(j)
		if ch := s.findLocked(m); ch != nil && ch.adopts(waiting) {
			return
		}
		waiting.Drop(s.mount.workers)
		_ = s.routeLocked(m, out) // the topic has a route, and one channel less
	}
}

// adopts takes messages that wait for what becomes of the channel's join: fewer than
// there was room for where they come from. It reports false if that is known. The
// socket is locked.
func (ch *Channel) adopts(waiting *mailbox) bool {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase != joining {
		return false
	}
	if ch.mailbox.Append(waiting) {
		ch.start()
	}
	return true
}
