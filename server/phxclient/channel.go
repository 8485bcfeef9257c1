package phxclient

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// A state of a channel.
type state int

const (
	idle    state = iota // not joined yet
	joining              // the answer to the join has not come, or there is no connection
	joined
	failed  // waits to join again
	leaving // phx_leave is sent
	ended
)

// A Channel is one topic of a client.
type Channel struct {
	client *Client
	topic  string
	params any
	more   chan struct{} // has one when there is something in the inbox
	over   chan struct{} // closed when it has ended

	// Guarded by client.mu.
	state   state
	payload body             // of each join
	joinRef string           // of the current join; "" if there is none
	tries   int              // joins in a row that were lost
	timer   *time.Timer      // until the join is late, or is tried again
	first   *call            // Join, while it waits
	calls   map[string]*call // Request and Leave, by ref
	waiting []message        // what is sent once it is joined
	inbox   []Message        // what Messages has not yielded yet
	size    int              // of the inbox
	listens bool             // Messages has been called
}

// A message is a client message that has no refs yet.
type message struct {
	event string
	body  body
	call  *call // nil if no one waits for a reply
}

// A call is somebody who waits for a reply.
type call struct {
	ref  string      // "" while the message is not sent; guarded by client.mu
	done chan result // has room for the one result
}

type result struct {
	response Message
	err      error
}

func newCall() *call { return &call{done: make(chan result, 1)} }

// Channel is the client's end of a topic. The params are the payload of each join,
// encoded as JSON by Join; nil is the empty object. Nothing happens before Join.
func (c *Client) Channel(topic string, params any) *Channel {
	return &Channel{
		client: c, topic: topic, params: params, calls: make(map[string]*call),
		more: make(chan struct{}, 1), over: make(chan struct{}),
	}
}

// Topic is the topic.
func (ch *Channel) Topic() string { return ch.topic }

// Join joins the topic and returns the server's response. While there is no connection
// or no answer it tries again, until the context is done. A refusal is a [*ReplyError]:
// the channel may be joined again later. From the first success on, the channel joins
// by itself whenever that is needed.
func (ch *Channel) Join(ctx context.Context) (Message, error) {
	join := newCall()
	if err := ch.start(join); err != nil {
		return Message{}, ch.failure("join", err)
	}
	select {
	case r := <-join.done:
		return r.response, ch.failure("join", r.err)
	case <-ctx.Done():
	}
	if ch.giveUp(join) {
		return Message{}, ch.failure("join", ctx.Err())
	}
	r := <-join.done
	return r.response, ch.failure("join", r.err)
}

// start begins to join.
func (ch *Channel) start(join *call) error {
	c := ch.client
	params, err := ch.encode("phx_join", ch.params)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case ch.state == ended:
		return ErrEnded
	case c.channels[ch.topic] != nil:
		return ErrJoined
	}
	c.channels[ch.topic] = ch
	ch.first, ch.payload = join, params
	ch.joinLocked()
	return nil
}

// giveUp undoes start, unless there is a result.
func (ch *Channel) giveUp(join *call) bool {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	if ch.first != join {
		return false
	}
	ch.leaveLocked()
	ch.refusedLocked(ErrNotJoined)
	return true
}

// Push sends a message and expects no reply. The payload is encoded as JSON, nil as the
// empty object; [Binary] is sent as it is. Push returns when the message waits to be
// sent, which is for the next join if the channel is not joined at the moment; it waits
// for room, see Config.OutboxMax. When it returns, the message is in line: it gets lost
// if the connection does. Request finds out.
func (ch *Channel) Push(ctx context.Context, event string, payload any) error {
	return ch.failure(event, ch.push(ctx, event, payload, nil))
}

// Request is Push, and waits for the reply, for Config.Timeout at most. A reply that is
// not "ok" is a [*ReplyError]. The error is [ErrLost] if the join was lost before the
// reply; the message may have arrived or not.
func (ch *Channel) Request(ctx context.Context, event string, payload any) (Message, error) {
	ctx, cancel := context.WithTimeout(ctx, ch.client.cfg.Timeout)
	defer cancel()
	request := newCall()
	if err := ch.push(ctx, event, payload, request); err != nil {
		return Message{}, ch.failure(event, err)
	}
	select {
	case r := <-request.done:
		return r.response, ch.failure(event, r.err)
	case <-ctx.Done():
		ch.forget(request)
		return Message{}, ch.failure(event, ctx.Err())
	}
}

// Leave leaves the topic. When it returns, the channel has ended; the error is that of
// the context if this was done before the server had answered.
func (ch *Channel) Leave(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, ch.client.cfg.Timeout)
	defer cancel()
	ch.client.mu.Lock()
	left := ch.leaveLocked()
	if left == nil {
		ch.endLocked(ErrEnded)
	} else {
		ch.failCallsLocked(ErrEnded)
		ch.stopTimerLocked()
		ch.state = leaving
		ch.calls[left.ref] = left
	}
	ch.client.mu.Unlock()
	if left == nil {
		return nil
	}
	var err error
	select {
	case <-left.done: // whatever it says: there is no such channel any more
	case <-ctx.Done():
		err = ctx.Err()
	}
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	ch.endLocked(ErrEnded)
	return ch.failure("leave", err)
}

func (ch *Channel) push(ctx context.Context, event string, payload any, call *call) error {
	c := ch.client
	b, err := ch.encode(event, payload)
	if err != nil {
		return err
	}
	if err := c.reserve(ctx, b.size()); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	m := message{event, b, call}
	switch ch.state {
	case joined:
		ch.sendLocked(m)
	case joining, failed:
		ch.waiting = append(ch.waiting, m)
	case idle:
		c.releaseLocked(b.size())
		return ErrNotJoined
	default:
		c.releaseLocked(b.size())
		return ErrEnded
	}
	return nil
}

// encode makes a payload that cannot fail to be sent later.
func (ch *Channel) encode(event string, payload any) (body, error) {
	b, err := encode(payload)
	if err == nil {
		_, _, err = ch.client.protocol.Encode(clientside.Outgoing{Topic: ch.topic, Event: event, Payload: b.data, Binary: b.binary})
	}
	return b, err
}

// sendLocked sends a message of the current join.
func (ch *Channel) sendLocked(m message) {
	out := clientside.Outgoing{
		JoinRef: ch.joinRef, Ref: ch.client.refLocked(), Topic: ch.topic, Event: m.event, Payload: m.body.data, Binary: m.body.binary,
	}
	if m.call != nil {
		m.call.ref = out.Ref
		ch.calls[out.Ref] = m.call
	}
	ch.client.putLocked(out, m.body.size())
}

// forget gives a Request up: if it is not sent yet, it never is.
func (ch *Channel) forget(request *call) {
	ch.client.mu.Lock()
	defer ch.client.mu.Unlock()
	delete(ch.calls, request.ref)
	ch.waiting = slices.DeleteFunc(ch.waiting, func(m message) bool {
		if m.call != request {
			return false
		}
		ch.client.releaseLocked(m.body.size())
		return true
	})
}

// failure says what has failed.
func (ch *Channel) failure(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %s: %w", ch.topic, what, err)
}
