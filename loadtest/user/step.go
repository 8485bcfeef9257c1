package user

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/script"
)

// goThrough makes the steps. It fails when the connection has ended; it counts any other
// fault and goes on with the next step. It ends early when no more rounds are wanted.
func (l *life) goThrough(s *session, steps []*script.Step) error {
	for _, step := range steps {
		if l.rounds.Err() != nil {
			return nil
		}
		if err := l.step(s, step); err != nil {
			return err
		}
	}
	return nil
}

func (l *life) step(s *session, step *script.Step) error {
	switch {
	case step.Push != "":
		return l.push(s, step)
	case step.Join != "":
		_, err := l.join(s, step.At, step.Meter)
		return err
	case step.Leave != "":
		return l.leave(s, step)
	case step.Expect != "":
		return l.expect(s, step)
	case step.Repeat != nil:
		for range step.Repeat.Times {
			if err := l.goThrough(s, step.Repeat.Steps); err != nil {
				return err
			}
		}
		return nil
	case step.Choose != nil:
		return l.goThrough(s, choose(step.Choose))
	}
	return l.pause(s, step.Wait)
}

// choose is one of several, by weight.
func choose(choices []script.Choice) []*script.Step {
	var sum float64
	for _, c := range choices {
		sum += *c.Weight
	}
	at := rand.Float64() * sum
	var chosen []*script.Step
	for _, c := range choices {
		if *c.Weight == 0 {
			continue
		}
		chosen = c.Steps
		if at -= *c.Weight; at < 0 {
			break
		}
	}
	return chosen
}

func (l *life) pause(s *session, span script.Span) error {
	timer := time.NewTimer(span.Least + rand.N(span.Most-span.Least+1))
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-l.rounds.Done():
	case <-s.gone:
		return s.err
	}
	return nil
}

// request sends a message that is answered.
func (u *user) request(s *session, m channels.Message) (*wait, error) {
	w := &wait{reply: make(chan reply, 1), joins: -1}
	return w, u.post(s, m, w)
}

// post sends a message for whose answer w waits.
func (u *user) post(s *session, m channels.Message, w *wait) error {
	u.mu.Lock()
	u.waits[m.Ref] = w
	u.mu.Unlock()
	return u.send(s, m)
}

// send sends a message. If it fails, the connection has ended.
func (u *user) send(s *session, m channels.Message) error {
	data, binary, err := encode(u.crew.script.Target.Vsn, m)
	if err == nil {
		err = s.conn.send(data, binary)
	}
	if err != nil {
		s.end(err)
		<-s.gone
		return s.err
	}
	return nil
}

// forget ends a wait; a later reply is dropped.
func (u *user) forget(ref string) {
	u.mu.Lock()
	delete(u.waits, ref)
	u.mu.Unlock()
}

// await waits for a reply; ok is false when there is none in time.
func await[T any](s *session, from <-chan T, within time.Duration) (got T, ok bool, err error) {
	timer := time.NewTimer(within)
	defer timer.Stop()
	select {
	case got = <-from:
		return got, true, nil
	case <-timer.C:
		return got, false, nil
	case <-s.gone:
		select { // it may have come before the end
		case got = <-from:
			return got, true, nil
		default:
			return got, false, s.err
		}
	}
}

// sentAt is the moment from which what is sent now counts: that at which the round
// was due, for the first of it.
func (u *user) sentAt(now int64) int64 {
	due := u.due
	u.due = 0
	if due == 0 {
		return now
	}
	return min(due, now)
}

// join joins a topic of the script. The outcome is "" if the answer is as expected.
func (u *user) join(s *session, i, meter int) (outcome string, err error) {
	t := &u.crew.script.Topics[i]
	name, err := u.scope.Text(t.Topic)
	if err != nil {
		return u.failed(meter, err), nil
	}
	payload, err := u.scope.JSON(t.Payload)
	if err != nil {
		return u.failed(meter, err), nil
	}
	u.mu.Lock()
	u.outLocked(i, leaving) // who joins again ends its first join: spec §1.11
	u.mu.Unlock()
	ref := u.nextRef()
	from := u.crew.now()
	w := &wait{reply: make(chan reply, 1), joins: i, as: topic{name, ref}}
	err = u.post(s, channels.Message{JoinRef: ref, Ref: ref, Topic: name, Event: channels.Join, Payload: payload}, w)
	if err != nil {
		return "", err
	}
	outcome, _, err = u.answered(s, ref, w, t.Reply, meter, from)
	return outcome, err
}

// failed counts a step that could not be made.
func (u *user) failed(meter int, err error) string {
	u.crew.observe(meter, err.Error(), -1)
	return err.Error()
}

// answered waits for a reply and counts what comes of it. ok is that its status is
// so.
func (u *user) answered(s *session, ref string, w *wait, want *script.Reply, meter int, from int64) (outcome string, ok bool, err error) {
	within := want.Within.Or(script.Patience)
	got, in, err := await(s, w.reply, within)
	switch {
	case err != nil:
		u.crew.observe(meter, "connection ended", -1)
		return "", false, err
	case !in:
		u.forget(ref)
		outcome = fmt.Sprintf("no reply in %v", within)
		u.crew.observe(meter, outcome, -1)
		return outcome, false, nil
	}
	outcome = u.judge(want, got.Answer)
	u.crew.observe(meter, outcome, got.at-from)
	return outcome, got.Status == "ok", nil
}

// judge says what is wrong with an answer, "" if nothing, and keeps of it what is
// to be saved.
func (u *user) judge(want *script.Reply, got channels.Answer) string {
	switch {
	case got.Status == "":
		return "the reply cannot be read: " + channels.Excerpt(got.Response)
	case got.Status != want.Status && got.Status == "ok":
		return "ok, where " + want.Status + " is expected"
	case got.Status != want.Status:
		return got.Status + ": " + got.Reason()
	}
	if !want.Match.Empty() {
		match, err := u.scope.JSON(want.Match)
		if err != nil {
			return err.Error()
		}
		if !script.Matches(got.Response, match) {
			return "the response does not match: " + channels.Excerpt(got.Response)
		}
	}
	for name, path := range want.Save {
		value, ok := script.Field(got.Response, strings.Split(path, "."))
		if !ok {
			return "the response has no " + path + " to save: " + channels.Excerpt(got.Response)
		}
		u.scope.Saved[name] = value
	}
	return ""
}

// leave leaves a topic.
func (l *life) leave(s *session, step *script.Step) error {
	l.mu.Lock()
	t := l.topics[step.At]
	l.outLocked(step.At, leaving)
	l.mu.Unlock()
	if t.joinRef == "" {
		l.failed(step.Meter, errNotJoined)
		return nil
	}
	ref := l.nextRef()
	from := l.crew.now()
	w, err := l.request(s, channels.Message{JoinRef: t.joinRef, Ref: ref, Topic: t.name, Event: channels.Leave})
	if err != nil {
		return err
	}
	_, _, err = l.answered(s, ref, w, &script.Reply{Status: "ok"}, step.Meter, from)
	return err
}

// outLocked notes that the user is in a topic no more: what is sent from now on is
// not owed.
func (u *user) outLocked(i int, grace int64) (was bool) {
	t := &u.topics[i]
	if t.joinRef == "" {
		return false
	}
	u.account.went(t.name, u.crew.now(), grace)
	t.joinRef = ""
	maps.DeleteFunc(u.last, func(s sequence, _ int32) bool { return s.topic == i })
	return true
}

var errNotJoined = errors.New("the topic is not joined")

// expect waits for an event, or takes one that has come already.
func (l *life) expect(s *session, step *script.Step) error {
	match, err := l.scope.JSON(step.Match)
	if err != nil {
		l.failed(step.Meter, err)
		return nil
	}
	from := l.crew.now()
	within := step.Within.Or(script.Patience)
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		if l.received(step, match) {
			l.crew.observe(step.Meter, "", l.crew.now()-from)
			return nil
		}
		select {
		case <-l.news:
		case <-timer.C:
			l.crew.observe(step.Meter, fmt.Sprintf("did not come in %v", within), -1)
			return nil
		case <-s.gone:
			l.crew.observe(step.Meter, "connection ended", -1)
			return s.err
		}
	}
}

// received takes the first message out of the inbox that a step expects.
func (l *life) received(step *script.Step, match []byte) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	i := slices.IndexFunc(l.inbox, func(m channels.Message) bool {
		return m.Event == step.Expect && (step.Topic == "" || m.Topic == l.topics[step.At].name) && (step.Match.Empty() || script.Matches(m.Payload, match))
	})
	if i >= 0 {
		l.inbox = slices.Delete(l.inbox, i, i+1)
	}
	return i >= 0
}

// privates numbers messages that are owed to their senders alone.
var privates atomic.Int32

// push sends a message, and waits for what is to come of it.
func (l *life) push(s *session, step *script.Step) error {
	l.mu.Lock()
	t, at := l.topics[step.At], topic{}
	if step.Broadcast != nil {
		at = l.topics[step.Broadcast.At]
	}
	l.mu.Unlock()
	if t.joinRef == "" {
		l.failed(step.Meter, errNotJoined)
		return nil
	}
	now := l.crew.now()
	from := l.sentAt(now)
	e := l.expectCopy(step, at.name, from, now)
	m := channels.Message{JoinRef: t.joinRef, Ref: l.nextRef(), Topic: t.name, Event: step.Push, IsBinary: !step.Binary.Empty()}
	var err error
	if m.IsBinary {
		var text string
		text, err = l.scope.Text(step.Binary)
		m.Binary = []byte(text)
	} else {
		m.Payload, err = l.scope.JSON(step.Payload)
	}
	if err != nil {
		e.void()
		l.failed(step.Meter, err)
		return nil
	}
	w, err := l.request(s, m)
	if err != nil {
		e.void()
		l.crew.observe(step.Meter, "connection ended", -1)
		return err
	}
	l.crew.count(func(c *order.Counts) { c.Sent++ })
	return l.follow(s, step, m.Ref, w, e, from)
}

// follow waits for the reply to a push and for its broadcast.
func (l *life) follow(s *session, step *script.Step, ref string, w *wait, e *echo, from int64) error {
	if step.Reply == nil {
		l.crew.observe(step.Meter, "", -1)
	} else {
		outcome, ok, err := l.answered(s, ref, w, step.Reply, step.Meter, from)
		if err != nil || outcome != "" && !ok {
			e.void() // a message is not owed if it was refused, or never came there
			return err
		}
	}
	if e == nil || e.copied == nil {
		l.unanswered(step, ref)
		return nil
	}
	within := step.Broadcast.Within.Or(script.Patience)
	timer := time.NewTimer(within)
	defer timer.Stop()
	for {
		select {
		case at := <-e.copied:
			l.crew.observe(step.Heard, "", at-from)
			l.unanswered(step, ref)
			return nil
		case got := <-w.reply:
			if got.Status != "ok" {
				e.void()
				l.crew.observe(step.Heard, got.Status+": "+got.Reason(), -1)
				return nil
			}
		case <-timer.C:
			l.crew.observe(step.Heard, fmt.Sprintf("did not come back in %v", within), -1)
			e.forget()
			l.unanswered(step, ref)
			return nil
		case <-s.gone:
			l.crew.observe(step.Heard, "connection ended", -1)
			e.void()
			return s.err
		}
	}
}

// unanswered ends the wait of a push that need not be answered. An error that comes
// later is still one.
func (l *life) unanswered(step *script.Step, ref string) {
	if step.Reply == nil {
		l.forget(ref)
	}
}

// An echo is the broadcast that a push is to have.
type echo struct {
	user   *user
	place  string
	seq    int32
	copied chan int64 // gets the moment at which the sender has its own; nil if it gets none
}

// expectCopy gives the next message its stamp.
func (l *life) expectCopy(step *script.Step, topic string, intended, sent int64) *echo {
	stamp := channels.Stamp{Writer: l.crew.writer, Intended: intended, Sent: sent}
	b := step.Broadcast
	if b == nil {
		stamp.Seq = private
		l.scope.Stamp = stamp.Append(l.scope.Stamp[:0])
		return nil
	}
	e := &echo{user: l.user, copied: make(chan int64, 1)}
	switch b.To {
	case script.Self:
		e.seq = private | privates.Add(1)&(private-1)
	default:
		e.place = place(topic, b.Event)
		e.seq = l.crew.number(e.place, sent)
		l.mu.Lock()
		stamp.After = l.last[sequence{step.At, e.place}]
		l.last[sequence{step.At, e.place}] = e.seq
		l.mu.Unlock()
	}
	stamp.Seq = e.seq
	l.scope.Stamp = stamp.Append(l.scope.Stamp[:0])
	l.mu.Lock()
	defer l.mu.Unlock()
	if b.To == script.Others {
		e.copied = nil
		l.account.take(e.place, l.crew.writer, e.seq) // it owes itself nothing
	} else {
		l.copies[stamped{e.place, e.seq}] = e.copied
	}
	return e
}

// forget ends the wait for the copy.
func (e *echo) forget() {
	e.user.mu.Lock()
	delete(e.user.copies, stamped{e.place, e.seq})
	e.user.mu.Unlock()
}

// void takes the message back.
func (e *echo) void() {
	if e == nil {
		return
	}
	e.forget()
	if e.place != "" {
		e.user.crew.void(e.place, e.seq)
	}
}
