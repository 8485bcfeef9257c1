package phxclient

import (
	"errors"
	"time"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// joinLocked joins, now or when there is a connection.
func (ch *Channel) joinLocked() {
	c := ch.client
	ch.stopTimerLocked()
	ch.state, ch.joinRef = joining, ""
	if c.link == nil {
		return
	}
	ref := c.refLocked()
	ch.joinRef = ref
	c.sendLocked(clientside.Outgoing{JoinRef: ref, Ref: ref, Topic: ch.topic, Event: "phx_join", Payload: ch.payload.data, Binary: ch.payload.binary})
	ch.timer = time.AfterFunc(c.cfg.Timeout, func() { ch.late(ref) })
}

// late is a join without an answer: the server is told to forget it (spec §9.3).
func (ch *Channel) late(joinRef string) {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	if ch.state == joining && ch.joinRef == joinRef {
		ch.leaveLocked()
		ch.retryLocked(errors.New("no answer to the join"))
	}
}

// leaveLocked sends phx_leave for the current join. It returns the call that gets the
// reply, or nil if the server knows of no join.
func (ch *Channel) leaveLocked() *call {
	c := ch.client
	if c.link == nil || ch.joinRef == "" || ch.state != joining && ch.state != joined {
		return nil
	}
	leave := newCall()
	leave.ref = c.refLocked()
	c.sendLocked(clientside.Outgoing{JoinRef: ch.joinRef, Ref: leave.ref, Topic: ch.topic, Event: "phx_leave", Payload: []byte("{}")})
	return leave
}

// receiveLocked is a message of this join or, where it does not say, perhaps of an
// earlier one.
func (ch *Channel) receiveLocked(m clientside.Message) {
	switch m.Event {
	case "phx_reply":
		ch.repliedLocked(m)
	case "phx_close":
		if ch.state == joined || ch.state == leaving {
			ch.endLocked(ErrEnded)
		}
	case "phx_error":
		switch ch.state {
		case joining, joined:
			ch.retryLocked(errors.New("channel crashed"))
		case leaving:
			ch.endLocked(ErrEnded)
		}
	default:
		if ch.state == joined {
			ch.deliverLocked(Message{Event: m.Event, JSON: m.JSON, Binary: m.Binary})
		}
	}
}

// repliedLocked finds out who waits for a reply.
func (ch *Channel) repliedLocked(m clientside.Message) {
	if ch.state == joining && m.Ref == ch.joinRef {
		ch.answeredLocked(m)
		return
	}
	if call := ch.calls[m.Ref]; call != nil {
		delete(ch.calls, m.Ref)
		r, err := response(m)
		call.done <- result{r, err}
	}
}

// answeredLocked is the answer to the join.
func (ch *Channel) answeredLocked(m clientside.Message) {
	r, err := response(m)
	if err != nil {
		if ch.first != nil {
			ch.first.done <- result{r, err}
			ch.first = nil
			ch.refusedLocked(ErrNotJoined)
			return
		}
		ch.retryLocked(err)
		return
	}
	ch.stopTimerLocked()
	if ch.tries > 0 {
		ch.client.cfg.Logger.Info("joined again", "topic", ch.topic, "tries", ch.tries)
	}
	ch.state, ch.tries = joined, 0
	if ch.first != nil {
		ch.first.done <- result{r, nil}
		ch.first = nil
	}
	if ch.deliverLocked(Message{Event: Joined, JSON: r.JSON, Binary: r.Binary}); ch.state != joined {
		return // no one reads
	}
	waiting := ch.waiting
	ch.waiting = nil
	for _, w := range waiting {
		ch.sendLocked(w)
	}
}

// refusedLocked is the end of a first Join that came to nothing: another one may follow.
func (ch *Channel) refusedLocked(err error) {
	ch.stopTimerLocked()
	ch.failCallsLocked(err)
	ch.state, ch.joinRef, ch.tries, ch.first = idle, "", 0, nil
	delete(ch.client.channels, ch.topic)
}

// retryLocked is the loss of a join, and joins again after a while.
func (ch *Channel) retryLocked(err error) {
	ch.lostLocked(err)
	ch.state = failed
	ch.tries++
	ch.client.cfg.Logger.Warn("join lost", "topic", ch.topic, "tries", ch.tries, "err", err)
	ch.timer = time.AfterFunc(ch.client.cfg.Rejoin(ch.tries), ch.rejoin)
}

// rejoin is the end of that while.
func (ch *Channel) rejoin() {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	if ch.state == failed {
		ch.joinLocked()
	}
}

// disconnectedLocked is the loss of the connection.
func (ch *Channel) disconnectedLocked(err error) {
	if ch.state == leaving {
		ch.endLocked(ErrEnded)
		return
	}
	ch.lostLocked(err)
	ch.state = joining
}

// lostLocked is called when a join is lost. Pushes that wait for the next one stay.
func (ch *Channel) lostLocked(err error) {
	ch.stopTimerLocked()
	ch.joinRef = ""
	for ref, call := range ch.calls {
		delete(ch.calls, ref)
		call.done <- result{err: ErrLost}
	}
	if ch.state == joined {
		ch.state = failed
		ch.deliverLocked(reason(err))
	}
}

// endLocked ends the channel for good. Those who wait get err.
func (ch *Channel) endLocked(err error) {
	if ch.state == ended {
		return
	}
	ch.stopTimerLocked()
	ch.failCallsLocked(err)
	ch.state, ch.joinRef = ended, ""
	if ch.client.channels[ch.topic] == ch {
		delete(ch.client.channels, ch.topic)
	}
	close(ch.over)
}

// failCallsLocked gives an error to all who wait, and drops what was not sent.
func (ch *Channel) failCallsLocked(err error) {
	fail := func(call *call) {
		if call != nil {
			call.done <- result{err: err}
		}
	}
	fail(ch.first)
	ch.first = nil
	for ref, call := range ch.calls {
		delete(ch.calls, ref)
		fail(call)
	}
	for _, m := range ch.waiting {
		fail(m.call)
		ch.client.releaseLocked(m.body.size())
	}
	ch.waiting = nil
}

func (ch *Channel) stopTimerLocked() {
	if ch.timer != nil {
		ch.timer.Stop()
		ch.timer = nil
	}
}
