package phx

import (
	"slices"
	"sync/atomic"

	"github.com/roost-rt/roost/pubsub"
)

// A Broadcast arrived by a subscription and was not meant for a client.
type Broadcast struct {
	Topic, Event string
	Payload      Payload

	// Missed is the number of broadcasts dropped before this one because the function
	// given to Endpoint.Subscribe did not keep up.
	Missed int
}

func broadcastOf(m *pubsub.Message) *Broadcast {
	return &Broadcast{Topic: m.Topic, Event: m.Event, Payload: payloadOf(m)}
}

// Subscribe delivers the broadcasts of another topic to Info, each as a
// *[Broadcast], until the channel ends. Subscribing twice delivers them twice.
// If the channel's mailbox is full of them, its connection is closed, because
// skipping one would silently make the channel's state wrong. Join may already
// subscribe.
func (ch *Channel) Subscribe(topic string) error {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	if ch.phase >= orphaned {
		return ErrClosed
	}
	ch.extraLocked().subs.add(ch.services().pubsub, topic, ch.events())
	return nil
}

// Unsubscribe ends all of the channel's subscriptions to a topic. Broadcasts
// already in its mailbox still arrive.
func (ch *Channel) Unsubscribe(topic string) {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	ch.subsLocked().remove(ch.services().pubsub, topic)
}

// subscriptions belong to one channel or raw socket, which guards them.
type subscriptions []*subscription

// A subscription brings broadcasts to the mailbox of its owner.
type subscription struct {
	handle pubsub.Subscription
	topic  string
	owner  inbox
	ended  atomic.Bool // broadcasts may be on their way
}

// An inbox is who subscribes: a *channelEvents or a *RawSocket.
type inbox interface {
	inform(b *Broadcast) // queues it for Info
}

func (s *subscription) Subscription() *pubsub.Subscription { return &s.handle }

func (s *subscription) Deliver(b *pubsub.Batch) {
	for m := range b.For(s.owner) {
		if !s.ended.Load() {
			s.owner.inform(broadcastOf(m))
		}
	}
}

func (l *subscriptions) add(ps *pubsub.PubSub, topic string, owner inbox) {
	s := &subscription{topic: topic, owner: owner}
	*l = append(*l, s)
	ps.Subscribe(topic, s)
}

// remove ends the subscriptions to a topic.
func (l *subscriptions) remove(ps *pubsub.PubSub, topic string) {
	if l != nil {
		*l = slices.DeleteFunc(*l, func(s *subscription) bool { return s.topic == topic && s.end(ps) })
	}
}

// clear ends all.
func (l *subscriptions) clear(ps *pubsub.PubSub) {
	if l != nil {
		*l = slices.DeleteFunc(*l, func(s *subscription) bool { return s.end(ps) })
	}
}

// count is how many subscriptions to a topic there are.
func (l *subscriptions) count(topic string) (n int) {
	if l != nil {
		for _, s := range *l {
			if s.topic == topic {
				n++
			}
		}
	}
	return n
}

func (s *subscription) end(ps *pubsub.PubSub) bool {
	s.ended.Store(true)
	ps.Unsubscribe(s)
	return true
}
