package phx

import (
	"runtime/debug"
	"sync"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/pubsub"
)

// listenerMax is how many broadcasts may wait for one function, of mailboxBytes
// together.
const listenerMax = 1024

// Subscribe calls do with every broadcast of a topic, for Go code outside
// channels: one at a time, in order, on the worker pool, so do may block for a
// while. If broadcasts arrive faster than do takes them, up to 1024 of them
// wait, or fewer if they reach 16 MiB; after that some are dropped, and the
// next one gives their number. No call begins after cancel.
func (ep *Endpoint) Subscribe(topic string, do func(Broadcast)) (cancel func()) {
	l := &listener{services: &ep.services, do: do}
	ep.pubsub.Subscribe(topic, l)
	return sync.OnceFunc(l.cancel)
}

// A listener is a function's subscription.
type listener struct {
	*services
	do     func(Broadcast)
	handle pubsub.Subscription

	mu        sync.Mutex // guards the rest; never held while do runs
	mailbox   lane.Lane[*Broadcast]
	missed    int // since the last that was queued
	cancelled bool
}

func (l *listener) Subscription() *pubsub.Subscription { return &l.handle }

func (l *listener) Deliver(b *pubsub.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range b.For(l) {
		switch {
		case l.cancelled:
			return
		case full(&l.mailbox, listenerMax):
			l.missed++
			continue
		}
		broadcast := broadcastOf(m)
		broadcast.Missed, l.missed = l.missed, 0
		if l.mailbox.Push(l.workers, broadcast, broadcastBytes(broadcast), true) {
			l.workers.Go(l)
		}
	}
}

// Turn calls the function for some of what waits; see poller.Pool.
func (l *listener) Turn() { l.mailbox.Turn(l.workers, l, &l.mu, nil, l.call) }

func (l *listener) call(b *Broadcast, left bool) {
	if left {
		l.log.Error("a subscribed function has called runtime.Goexit", "topic", b.Topic, "event", b.Event)
		return
	}
	defer func() {
		if r := recover(); r != nil {
			l.log.Error("panic in a subscribed function", "topic", b.Topic, "event", b.Event, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	l.do(*b)
}

func (l *listener) cancel() {
	l.pubsub.Unsubscribe(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelled = true
	l.mailbox.Clear(l.workers)
}

func (l *listener) describe() []any {
	l.mu.Lock()
	defer l.mu.Unlock()
	if b, ok := l.mailbox.Running(); ok {
		return []any{"topic", b.Topic, "event", b.Event, "callback", "Endpoint.Subscribe"}
	}
	return nil
}
