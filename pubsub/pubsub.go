package pubsub

import (
	"cmp"
	"errors"
	"runtime"
	"sync/atomic"
)

// ErrOverloaded is returned by Publish when too much waits to be delivered. The
// message has gone to nobody.
var ErrOverloaded = errors.New("too many broadcasts are waiting to be delivered")

// A Subscriber takes the messages of the topic it is subscribed to.
type Subscriber interface {
	// Deliver takes the messages of b from index first on, but for those whose
	// From it is. It must not wait, and must not keep b.
	Deliver(b *Batch, first int)

	// Subscription returns the subscriber's handle: the same one each time.
	Subscription() *Subscription
}

// A Turn is a slice of a shard's work.
type Turn = interface{ Turn() }

// An Executor runs turns: a worker pool.
type Executor interface {
	Go(Turn) // queues a turn; never blocks, never refuses
}

// A Config says how a PubSub works. The zero value is usable.
type Config struct {
	// Shards is how many parts the subscribers of a topic are spread over. Zero
	// means one for every processor.
	Shards int

	// MaxPending is how many bytes of messages may wait for delivery, counted
	// once for each shard that they wait in, with 256 bytes for each message on
	// top. Beyond it Publish fails. Zero means 64 MiB.
	MaxPending int
}

// A PubSub is the topics of one node and who subscribed to them.
type PubSub struct {
	shards     []*shard
	next       atomic.Uint32 // round robin over shards
	pending    atomic.Int64  // bytes, as Config.MaxPending counts
	maxPending int64
}

// New returns a PubSub whose shards take their turns on pool.
func New(cfg Config, pool Executor) *PubSub {
	ps := &PubSub{maxPending: int64(cmp.Or(cfg.MaxPending, 64<<20))}
	for range cmp.Or(cfg.Shards, runtime.GOMAXPROCS(0)) {
		ps.shards = append(ps.shards, &shard{pool: pool, pending: &ps.pending, topics: make(map[string]*topic)})
	}
	return ps
}

// Subscribe subscribes s to a topic. It gets what is published from now on. One
// handle is one subscription in its life: s must be new. Calls of Subscribe and
// Unsubscribe for the same subscriber must not overlap.
func (ps *PubSub) Subscribe(name string, s Subscriber) {
	ps.shards[ps.next.Add(1)%uint32(len(ps.shards))].subscribe(name, s)
}

// Unsubscribe ends the subscription of s, if it has one.
func (ps *PubSub) Unsubscribe(s Subscriber) {
	if t := s.Subscription().topic; t != nil {
		t.shard.unsubscribe(t, s)
	}
}

// Publish delivers m to the subscribers of its topic on this node, all of them
// or, with ErrOverloaded, none. It does not wait for them.
func (ps *PubSub) Publish(m *Message) error {
	if ps.pending.Load() > ps.maxPending {
		return ErrOverloaded
	}
	for _, s := range ps.shards {
		s.publish(m)
	}
	return nil
}

// Subscribers is how many subscriptions a topic has.
func (ps *PubSub) Subscribers(name string) int {
	n := 0
	for _, s := range ps.shards {
		n += s.count(name)
	}
	return n
}
