package phxtest

import (
	"errors"
	"fmt"
	"slices"
)

// A Channel is the client's end of a topic that it joined.
type Channel struct {
	// JoinReply is the answer to the join.
	JoinReply Message

	client  *Client
	topic   string
	joinRef string
	ended   bool // phx_close or phx_error has come
}

// A Push is a message that the client sent.
type Push struct {
	channel    *Channel
	event, ref string
}

// Push sends a message. The payload is encoded as JSON, nil as the empty object;
// phx.Binary is sent as it is.
func (ch *Channel) Push(event string, payload any) *Push {
	ch.client.t.Helper()
	p := &Push{ch, event, ch.client.ref()}
	ch.client.send(outgoing{ch.joinRef, p.ref, ch.topic, event, encode(ch.client.t, payload)})
	return p
}

// ExpectReply waits for the reply to the message and returns it. It fails the
// test if that has another status or response than the wanted ones. If the server
// replies several times, each call takes the next one.
func (p *Push) ExpectReply(status string, response any) Message {
	t := p.channel.client.t
	t.Helper()
	want := newWant(t, response)
	m := p.channel.expect(fmt.Sprintf("reply %q %s to %q", status, want.text, p.event), p.answeredBy)
	if m.Status != status || !want.fits(m) {
		t.Fatalf("%s: %v to %q, want reply %q %s", p.channel.topic, m, p.event, status, want.text)
	}
	return m
}

// RefuteReply fails the test if the message has been answered, or is going to be
// by a callback that it caused.
func (p *Push) RefuteReply() {
	p.channel.client.t.Helper()
	p.channel.refute(fmt.Sprintf("no reply to %q", p.event), p.answeredBy)
}

func (p *Push) answeredBy(m Message) bool { return m.kind == reply && m.Ref == p.ref }

// ExpectPush waits for a message from the server that is no reply, and returns
// it: a push or a broadcast, which clients do not tell apart either.
func (ch *Channel) ExpectPush(event string, payload any) Message {
	ch.client.t.Helper()
	return ch.expectEvent(push, event, payload)
}

// RefutePush is the opposite of ExpectPush, for all that the test has caused so
// far; see the package documentation.
func (ch *Channel) RefutePush(event string, payload any) {
	ch.client.t.Helper()
	ch.refuteEvent(push, event, payload)
}

// ExpectBroadcast is ExpectPush for messages that went to all subscribers of the
// topic. In V1 these look like any others.
func (ch *Channel) ExpectBroadcast(event string, payload any) Message {
	ch.client.t.Helper()
	return ch.expectEvent(broadcast, event, payload)
}

// RefuteBroadcast is the opposite of ExpectBroadcast, for all that the test has
// caused so far; see the package documentation.
func (ch *Channel) RefuteBroadcast(event string, payload any) {
	ch.client.t.Helper()
	ch.refuteEvent(broadcast, event, payload)
}

// ExpectClose waits until the server has closed the channel in peace (phx_close).
func (ch *Channel) ExpectClose() {
	ch.client.t.Helper()
	ch.ExpectPush("phx_close", Any)
}

// ExpectError waits until the channel has crashed (phx_error).
func (ch *Channel) ExpectError() {
	ch.client.t.Helper()
	ch.ExpectPush("phx_error", Any)
}

// Leave leaves the topic, and returns when the server has closed the channel.
func (ch *Channel) Leave() {
	ch.client.t.Helper()
	ch.Push("phx_leave", nil).ExpectReply("ok", nil)
	ch.ExpectClose()
}

// Next waits for the channel's next message of any kind, in the order in which they
// came. It leaves out those that have been expected already.
func (ch *Channel) Next() Message {
	ch.client.t.Helper()
	return ch.expect("message", Any)
}

// ExpectNothing fails the test if a message has come, or is going to, that was not
// expected; see the package documentation.
func (ch *Channel) ExpectNothing() {
	ch.client.t.Helper()
	ch.refute("nothing", Any)
}

func (ch *Channel) expectEvent(k kind, event string, payload any) Message {
	ch.client.t.Helper()
	want := newWant(ch.client.t, payload)
	return ch.expect(fmt.Sprintf("%s %q %s", k, event, want.text), fits(k, event, want))
}

func (ch *Channel) refuteEvent(k kind, event string, payload any) {
	ch.client.t.Helper()
	want := newWant(ch.client.t, payload)
	ch.refute(fmt.Sprintf("no %s %q %s", k, event, want.text), fits(k, event, want))
}

// fits tells the messages of a kind. Broadcasts count as pushes, and what V1
// sends as both.
func fits(k kind, event string, w want) func(Message) bool {
	return func(m Message) bool {
		isKind := m.kind == message || m.kind == broadcast || m.kind == push && k == push
		return isKind && m.Event == event && w.fits(m)
	}
}

// expect waits for a message of the channel's.
func (ch *Channel) expect(what string, fits func(Message) bool) (m Message) {
	c := ch.client
	c.t.Helper()
	found := false
	look := func() bool {
		m, found = ch.take(fits)
		return found
	}
	err := c.await(func() bool { return look() || ch.ended })
	if err == nil && !found {
		_ = ch.settle() // Terminate may have something to say; at worst it has not said it yet
		if !look() {
			err = errors.New("the channel has ended")
		}
	}
	if err != nil {
		c.fatal(fmt.Sprintf("no %s on %s", what, ch.topic), err, ch.waiting())
	}
	return m
}

// refute fails if a message of the channel's fits, once the endpoint is quiet.
func (ch *Channel) refute(what string, fits func(Message) bool) {
	t := ch.client.t
	t.Helper()
	if err := ch.settle(); err != nil {
		t.Fatalf("%s: wait for quiet: %v", ch.topic, err)
	}
	if m, found := ch.take(fits); found {
		t.Fatalf("%s: %v, want %s", ch.topic, m, what)
	}
}

// take takes the first message of the channel's that fits.
func (ch *Channel) take(fits func(Message) bool) (m Message, found bool) {
	c := ch.client
	i := slices.IndexFunc(c.inbox, func(m Message) bool { return ch.owns(m) && fits(m) })
	if i < 0 {
		return Message{}, false
	}
	m = c.inbox[i]
	c.inbox = slices.Delete(c.inbox, i, i+1)
	return m, true
}

// waiting returns the messages for the channel that were not expected yet.
func (ch *Channel) waiting() (all []Message) {
	for _, m := range ch.client.inbox {
		if ch.owns(m) {
			all = append(all, m)
		}
	}
	return all
}

// owns reports whether a message is for this join of the topic (spec §9.3).
func (ch *Channel) owns(m Message) bool {
	return m.Topic == ch.topic && (m.JoinRef == "" || m.JoinRef == ch.joinRef)
}
