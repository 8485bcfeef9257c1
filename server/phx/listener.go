package phx

import (
	"runtime/debug"
	"sync"

	"github.com/roost-rt/roost/pubsub"
)

// listenerMax is how many broadcasts may wait for one function, of mailboxBytes
// together.
const listenerMax = 1024

// Subscribe calls do with every broadcast of a topic, for Go code that is no
// channel: one at a time, in order, on the worker pool, so it may block for a
// while. Of those that come faster than do takes them 1024 wait, or fewer if
// they have 16 MiB; then some are dropped, and the next says how many. After cancel
// no more calls begin.
func (ep *Endpoint) Subscribe(topic string, do func(Broadcast)) (cancel func()) {
	l := &listener{endpoint: ep, do: do}
	ep.pubsub.Subscribe(topic, l)
	return sync.OnceFunc(l.cancel)
}

// A listener is a function's subscription.
type listener struct {
	endpoint *Endpoint
	do       func(Broadcast)
	handle   pubsub.Subscription

	mu        sync.Mutex // guards the rest; never held while do runs
	mailbox   mailbox
	missed    int // since the last that was queued
	cancelled bool
}

func (l *listener) Subscription() *pubsub.Subscription { return &l.handle }

func (l *listener) Deliver(b *pubsub.Batch, first int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range b.Messages[first:] {
		switch {
		case l.cancelled:
			return
		case l.mailbox.full(listenerMax):
			l.missed++
			continue
		}
		broadcast := broadcastOf(m)
		broadcast.Missed, l.missed = l.missed, 0
		if l.mailbox.push(&job{kind: jobInfo, body: broadcast}) {
			l.endpoint.workers.Go(l)
		}
	}
}

// Turn calls the function for some of what waits; see poller.Pool.
func (l *listener) Turn() {
	for range turnBudget {
		l.mu.Lock()
		j := l.mailbox.pop() // drops the claim when there is none
		l.mu.Unlock()
		if j == nil {
			return
		}
		l.call(*j.body.(*Broadcast))
	}
	l.endpoint.workers.Go(l) // keep the claim, go to the back of the line
}

func (l *listener) call(b Broadcast) {
	defer func() {
		if r := recover(); r != nil {
			l.endpoint.log.Error("panic in a subscribed function", "topic", b.Topic, "event", b.Event, "panic", r, "stack", string(debug.Stack()))
		}
	}()
	l.do(b)
}

func (l *listener) cancel() {
	l.endpoint.pubsub.Unsubscribe(l)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cancelled = true
	l.mailbox.clear()
}
