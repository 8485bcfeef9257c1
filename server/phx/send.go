package phx

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/number"
	"github.com/roost-rt/roost/server/wire"
)

// Pattern returns [Route.Pattern] of the route that took the join. There are
// only as many patterns as routes, so it can be a metric's label; a topic
// cannot.
func (ch *Channel) Pattern() string { return ch.route().Pattern }

// Topic returns the topic that was joined.
func (ch *Channel) Topic() string {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.topic
}

// Socket returns the client session that the channel belongs to.
func (ch *Channel) Socket() *Socket { return ch.socket }

// Assign keeps a value under a key for this channel. Only callbacks may call it.
func (ch *Channel) Assign(key string, value any) {
	ch.mailbox.CheckTurn()
	if ch.assigns == nil {
		ch.assigns = make(map[string]any)
	}
	ch.assigns[key] = value
}

// Value returns the value kept under a key by the channel, its route or its
// socket, in that order, or nil. Only callbacks may call it.
func (ch *Channel) Value(key string) any {
	ch.mailbox.CheckTurn()
	for _, assigns := range [...]map[string]any{ch.assigns, ch.route().Assigns} {
		if v, ok := assigns[key]; ok {
			return v
		}
	}
	return ch.socket.Value(key)
}

// Value returns the value that a channel or a socket keeps under a key, or the
// zero T if there is none:
//
//	user := phx.Value[string](ch, "user")
//
// A number becomes a T if T can hold it exactly: int64(7), the form that
// package token uses, becomes the int 7. Any other value must be a T, or Value
// panics, as a type assertion does: a zero T would be someone else's id. In a
// callback the panic crashes its channel.
func Value[T any](of interface{ Value(key string) any }, key string) T {
	kept := of.Value(key)
	if kept == nil {
		return *new(T)
	}
	v, err := number.As[T](kept)
	if err != nil {
		panic(fmt.Sprintf("phx.Value: the value kept under %q: %v", key, err))
	}
	return v
}

// JoinRef tells this join of the topic from others by the same client. It
// returns the ref that the client gave it, or "" if it gave none.
func (ch *Channel) JoinRef() string {
	ref := ch.joinRef.Value()
	var text string
	if json.Unmarshal([]byte(ref), &text) != nil { // null or a number
		return string(ref)
	}
	return text
}

// Push sends a message to this client alone. The payload must be a JSON object
// or [Binary]. Like every send, it fails with [ErrTooLarge] beyond
// [Config.MaxPayload], and with [wire.ErrNotUTF8] for text that is not UTF-8.
func (ch *Channel) Push(event string, payload any) error {
	lent := ch.services()
	p, err := lent.encode(payload, event)
	if err == nil {
		err = ch.push(event, p)
	}
	tell(lent, lent.hooks.Pushed, PushEvent{Channel: ch, Event: event, Size: len(p.Data), Err: err})
	return err
}

func (ch *Channel) push(event string, p wire.Payload) error {
	if err := ch.sendable(); err != nil {
		return err
	}
	return ch.socket.encode(func(dst []byte) ([]byte, bool, error) {
		return ch.socket.codec.AppendPush(dst, ch.joinRef.Value(), ch.topic, event, p)
	})
}

// sendable is nil from Join's acceptance until Terminate has returned.
func (ch *Channel) sendable() error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	switch ch.phase {
	case joining:
		return ErrNotJoined
	case closed:
		return ErrClosed
	}
	return nil
}

// Send queues a message from the server's own code for the channel: Info will
// be called with it, in its turn. It fails with [ErrMailboxFull] or
// [ErrClosed].
func (ch *Channel) Send(msg any) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase >= orphaned {
		return ErrClosed
	}
	return ch.postLocked(infoJob{msg})
}

// inform is Send for a broadcast of another topic, for which there must be room.
func (ch *Channel) inform(b *Broadcast) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase < orphaned && ch.postLocked(infoJob{b}) != nil {
		ch.socket.transport.Kill(ch.overflow(b.Topic))
	}
}

// overflow is why a connection is closed: a broadcast did not fit into the
// mailbox. To leave it out would make somebody's state wrong without a sign.
func (ch *Channel) overflow(topic string) error {
	return fmt.Errorf("%w of broadcasts of %s", ErrMailboxFull, topic)
}

// Broadcast sends an event to all who joined the topic, including this client,
// which gets it before anything sent to it later. This client may also get it
// before an earlier message given to [Endpoint.Broadcast].
func (ch *Channel) Broadcast(event string, payload any) error {
	m, err := ch.broadcast(event, payload)
	if err != nil {
		return err
	}
	for range ch.deliverOwn(m) { // they were left out, too: m is from the channel
		ch.inform(broadcastOf(m))
	}
	return nil
}

// deliverOwn sends the channel's own broadcast to its client, and returns how many
// subscriptions it has to the topic beside.
func (ch *Channel) deliverOwn(m *pubsub.Message) (subscriptions int) {
	ch.deliverOne(m)
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ch.subsLocked().count(m.Topic)
}

// BroadcastFrom is Broadcast to all but this channel. Other sockets of the same
// user get it.
func (ch *Channel) BroadcastFrom(event string, payload any) error {
	_, err := ch.broadcast(event, payload)
	return err
}

// broadcast publishes to all others.
func (ch *Channel) broadcast(event string, payload any) (*pubsub.Message, error) {
	if ch.sendable() == ErrNotJoined {
		return nil, ErrNotJoined
	}
	lent := ch.services()
	return lent.broadcast(context.Background(), lent.pubsub.Publish, ch.events(), ch.topic, event, payload)
}

// broadcast publishes to all but from, which may be nil. Only the hook looks at ctx.
func (lent *services) broadcast(ctx context.Context, publish func(*pubsub.Message) error, from pubsub.Subscriber, topic, event string, payload any) (*pubsub.Message, error) {
	var begun time.Time
	if lent.hooks.Broadcast != nil {
		begun = time.Now()
	}
	m, err := lent.message(topic, event, payload)
	if err == nil {
		m.From = from
		err = publish(m)
	}
	if lent.hooks.Broadcast != nil {
		e := BroadcastEvent{Context: ctx, Duration: time.Since(begun), Topic: topic, Event: event, Subscribers: lent.pubsub.Subscribers(topic), Err: err}
		if m != nil {
			e.Size = len(m.Payload)
		}
		tell(lent, lent.hooks.Broadcast, e)
	}
	return m, err
}

// message makes a broadcast that every serializer can encode, unless its payload is
// binary: not all can encode those.
func (lent *services) message(topic, event string, payload any) (*pubsub.Message, error) {
	p, err := lent.encode(payload, topic, event)
	if err == nil {
		err = wire.CheckBroadcast(topic, event, p)
	}
	if err != nil {
		return nil, err
	}
	m := &pubsub.Message{Topic: topic, Event: event, Payload: p.Data, Binary: p.Binary}
	for _, c := range lent.foreign { // now, as whoever delivers it must not wait for them
		if c.Used() {
			m.Encoded(c, c.Broadcast)
		}
	}
	return m, nil
}

// deliver sends broadcasts on to the client, past the mailbox (the fastlane, spec
// §2.4), except those that Out wants to see; see pubsub.Subscriber. They are encoded
// before the channel is locked; see lateReplies.
func (ch *Channel) deliver(b *pubsub.Batch) {
	if len(ch.route().Type.Intercept) == 0 && b.Whole(ch.events()) {
		ch.fastlane(b.Encoded(ch.socket.codec, ch.socket.codec.Broadcast))
		return
	}
	for m := range b.For(ch.events()) {
		ch.deliverOne(m)
	}
}

func (ch *Channel) deliverOne(m *pubsub.Message) {
	if !ch.route().Type.intercepts(m.Event) {
		ch.fastlane(m.Encoded(ch.socket.codec, ch.socket.codec.Broadcast))
		return
	}
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.receivesLocked() && ch.postLocked(outJob{m}) != nil {
		ch.socket.transport.Kill(ch.overflow(ch.topic))
	}
}

// receivesLocked reports whether broadcasts are for the client.
func (ch *Channel) receivesLocked() bool { return ch.phase == joined || ch.phase == leaving }

// fastlane sends packets that are shared by all who get them.
func (ch *Channel) fastlane(packets []byte) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.receivesLocked() {
		ch.socket.fastlane(packets)
	}
}

// fastlane sends packets that are shared by all who get them.
func (s *Socket) fastlane(packets []byte) {
	if packets != nil {
		_ = s.transport.SendShared(packets) // Closed tells
	}
}

// A Ref is a client message that can be answered later, from any goroutine, and
// more than once.
type Ref struct {
	channel *Channel
	ref     wire.Ref
}

// Ref returns a reference to the message being handled. Only handlers of client
// messages may call it; return nil, nil there to answer later.
func (ch *Channel) Ref() Ref {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	switch j, _ := ch.mailbox.Running(); j := j.(type) {
	case *messageJob:
		return Ref{ch, j.Ref}
	case *joinJob:
		return Ref{ch, j.message.Ref}
	}
	return Ref{channel: ch}
}

// Reply answers the message like a handler's result: with "ok" and the given
// response, or with the status of a [Reply].
func (r Ref) Reply(result any) error {
	status, response, err := r.channel.services().settle(result)
	if err != nil {
		return err
	}
	return r.channel.reply(r.ref, status, response)
}

func (ch *Channel) reply(ref wire.Ref, status string, response wire.Payload) error {
	if err := ch.sendable(); err != nil {
		return err
	}
	return ch.socket.reply(ch.joinRef.Value(), ref, ch.topic, status, response)
}
