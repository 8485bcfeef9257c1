package phx

import (
	"slices"
	"sync/atomic"

	"github.com/roost-rt/roost/pubsub"
)

// Subscribe sends the broadcasts of a topic to the client although it has not
// joined it: unchanged, bypassing all channels, until Unsubscribe or the end of
// the socket. Subscribing twice sends them twice. Mount.Connect may already
// call it. (Absinthe's subscriptions are such topics.)
func (s *Socket) Subscribe(topic string) error {
	r := &relay{socket: s, topic: topic}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ending >= isClosing {
		return ErrClosed
	}
	e := s.extraLocked()
	e.relays = append(e.relays, r)
	if s.opened { // else open does it: nothing can be sent before
		s.mount.pubsub.Subscribe(topic, r)
	}
	return nil
}

// Unsubscribe ends all of the socket's subscriptions to a topic, but not those
// of its channels.
func (s *Socket) Unsubscribe(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.extra != nil {
		s.extra.relays = slices.DeleteFunc(s.extra.relays, func(r *relay) bool { return r.topic == topic && r.end() })
	}
}

// A relay is a socket's subscription to a topic.
type relay struct {
	handle pubsub.Subscription
	socket *Socket
	topic  string
	ended  atomic.Bool // broadcasts may be on their way
}

func (r *relay) Subscription() *pubsub.Subscription { return &r.handle }

// Deliver sends broadcasts, which are encoded before the socket is locked; see lateReplies.
func (r *relay) Deliver(b *pubsub.Batch) {
	codec := r.socket.codec
	if b.Whole(r) {
		r.send(b.Encoded(codec, codec.Broadcast))
		return
	}
	for m := range b.For(r) {
		r.send(m.Encoded(codec, codec.Broadcast))
	}
}

func (r *relay) send(packets []byte) {
	r.socket.mu.Lock() // which open holds until the client has its answer
	defer r.socket.mu.Unlock()
	if !r.ended.Load() {
		r.socket.fastlane(packets)
	}
}

// end ends the subscription. The socket is locked.
func (r *relay) end() bool {
	r.ended.Store(true)
	r.socket.mount.pubsub.Unsubscribe(r)
	return true
}

// unsubscribeLocked ends what the socket itself has subscribed to.
func (s *Socket) unsubscribeLocked() {
	if s.extra == nil {
		return
	}
	if self := s.extra.self; self != nil {
		s.mount.pubsub.Unsubscribe(self)
	}
	for _, r := range s.extra.relays {
		r.end()
	}
	s.extra.self, s.extra.relays = nil, nil
}
