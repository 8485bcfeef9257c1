package pubsub

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"runtime"
	"sync/atomic"

	"github.com/roost-rt/roost/poller/lane"
)

// ErrOverloaded is returned by Publish and its variants when too many bytes
// wait to be delivered. No subscriber has got the message.
var ErrOverloaded = errors.New("too many broadcasts are waiting to be delivered")

// A Subscriber takes the messages of the topic it is subscribed to.
type Subscriber interface {
	// Deliver takes the messages of b that are for the subscriber; see Batch.For. It
	// must not wait, and must not keep b. It may subscribe and unsubscribe, but what it
	// publishes others may get before b. If it panics, some of the others do not get b,
	// and a publisher that serves few subscribers itself gets the panic.
	Deliver(b *Batch)

	// Subscription returns the subscriber's handle: the same one each time.
	Subscription() *Subscription
}

// A Config configures a [PubSub]. The zero value is usable.
type Config struct {
	// Shards is how many parts the topics are spread over, and the subscribers of a
	// topic with more than 1,024. Zero means four for every processor.
	Shards int

	// MaxPending is how many bytes of messages, including topics and events and 256
	// bytes of overhead for each message, may wait until their last subscribers on this
	// node have got them. Beyond it Publish fails, so at most one message more for each
	// publisher waits. It also fails for a topic that holds more than the space left:
	// one topic takes half of the space, the next half of the rest. Zero means 64 MiB.
	MaxPending int

	// Adapter connects the other nodes. Nil means that there are none.
	Adapter Adapter `json:"-"`

	// Inspect is called for each message of another node before any subscriber here
	// gets it. If it returns an error no subscriber does, and the adapter gets
	// ErrInvalid. Several goroutines call it. Nil accepts all messages.
	Inspect func(*Message) error `json:"-"`

	// Full returns a function that reports whether a subscriber has so much still to
	// receive that it should get no more, or nil while no subscriber has. A message to
	// a topic waits while most of its subscribers are full, up to MaxPending. Neither
	// function may wait, or call the PubSub. Nil means that no subscriber is ever full.
	Full func() func(Subscriber) bool `json:"-"`

	// Gap is called for messages lost between nodes. It must not wait; it may publish.
	// Nil ignores them.
	Gap func(Gap) `json:"-"`

	// Node is called when other nodes come and go, one call at a time, if the adapter
	// is a Watcher. It must not wait; it may publish. Nil ignores them.
	Node func(NodeEvent) `json:"-"`
}

// perProcessor is how many shards there are for each processor. A shard walks one chunk
// at a time: with one each, a message to all of 1,000 rooms takes 1.65 times as long on 64
// processors as if all had the same share of rooms, with four 1.26 times.
const perProcessor = 4

// A PubSub holds the topics of one node and their subscribers.
type PubSub struct {
	adapter    Adapter // or nil
	inspect    func(*Message) error
	gap        func(Gap)                    // or nil
	node       func(NodeEvent)              // or nil
	full       func() func(Subscriber) bool // or nil
	shards     []*shard                     // twice in a row, so that all others follow each of them
	seed       maphash.Seed                 // of the hash of a topic's name, which names its shard
	pending    atomic.Int64                 // bytes, as Config.MaxPending counts
	maxPending int64
}

// New returns a [PubSub] whose shards take their turns on pool. With an
// adapter, it must be started.
func New(cfg Config, pool lane.Pool) *PubSub {
	ps := &PubSub{adapter: cfg.Adapter, inspect: cfg.Inspect, gap: cfg.Gap, node: cfg.Node, full: cfg.Full, seed: maphash.MakeSeed(), maxPending: int64(cmp.Or(cfg.MaxPending, 64<<20))}
	if ps.inspect == nil {
		ps.inspect = func(*Message) error { return nil }
	}
	selective, _ := cfg.Adapter.(Selective)
	for range cmp.Or(cfg.Shards, perProcessor*runtime.GOMAXPROCS(0)) {
		ps.shards = append(ps.shards, &shard{pool: pool, pending: &ps.pending, behind: ps.behind, adapter: selective, topics: make(map[string]*topic)})
	}
	ps.shards = append(ps.shards, ps.shards...)
	return ps
}

// Subscribe subscribes s to a topic. It gets messages published from now on.
// One handle is one subscription in its life: s must be new. Calls of Subscribe
// and Unsubscribe for the same subscriber must not overlap.
func (ps *PubSub) Subscribe(name string, s Subscriber) {
	shards := ps.shardsOf(name)
	for owner := shards[0]; ; { // again if the crowd is over by the time it is locked
		owner.mu.Lock()
		t := owner.topicLocked(name)
		c := t.crowdLocked(shards)
		if c == nil {
			t.addLocked(s)
		}
		owner.mu.Unlock()
		if c == nil {
			return
		}
		if c.lock() {
			c.subscribeLocked(s)
			c.mu.Unlock()
			return
		}
	}
}

// shardsOf returns all shards, the owner of a topic first.
func (ps *PubSub) shardsOf(name string) []*shard {
	n := len(ps.shards) / 2
	i := int(maphash.String(ps.seed, name) % uint64(n))
	return ps.shards[i : i+n]
}

// each calls do with each part of a topic, its shard locked: with the topic itself
// unless it is a crowd, and not at all if no one listens. Subscribers that come and go
// do so before all of the calls or after them.
func (ps *PubSub) each(name string, do func(*topic)) {
	for owner := ps.shardsOf(name)[0]; ; { // as in Subscribe
		owner.mu.Lock()
		t := owner.topics[name]
		if t == nil {
			owner.mu.Unlock()
			return
		}
		c := t.crowd
		if c == nil {
			do(t)
			owner.mu.Unlock()
			return
		}
		owner.mu.Unlock()
		if c.lock() {
			c.eachLocked(do)
			c.mu.Unlock()
			return
		}
	}
}

// Unsubscribe ends the subscription of s, if it has one.
func (ps *PubSub) Unsubscribe(s Subscriber) {
	for { // as in Subscribe
		t := s.Subscription().topic.Load()
		if t == nil {
			return
		}
		t.shard.mu.Lock()
		c := t.crowd
		if c == nil {
			t.removeLocked(s)
			t.dropLocked()
		}
		t.shard.mu.Unlock()
		if c == nil {
			return
		}
		if c.lock() {
			c.unsubscribeLocked(s)
			c.mu.Unlock()
			return
		}
	}
}

// Start joins the cluster, if there is an adapter.
func (ps *PubSub) Start() error {
	if ps.adapter == nil {
		return nil
	}
	if counter, ok := ps.adapter.(Counter); ok {
		counter.CountWith(ps.Subscribers)
	}
	if watcher, ok := ps.adapter.(Watcher); ok && ps.node != nil {
		watcher.WatchWith(ps.node)
	}
	return ps.adapter.Start(func(m *Message) error {
		if ps.Subscribers(m.Topic) == 0 { // the adapter brings more than this node listens to
			return nil
		}
		if err := ps.inspect(m); err != nil {
			return fmt.Errorf("%w: %w", ErrInvalid, err)
		}
		// The adapter's goroutine serves no subscriber itself: it has to receive the
		// messages of all topics.
		if ps.left() < 0 {
			return ErrOverloaded
		}
		ps.dispatch(m, 0)
		return nil
	}, ps.tellGap)
}

func (ps *PubSub) tellGap(g Gap) {
	if ps.gap != nil {
		ps.gap(g)
	}
}

// Close leaves the cluster, if there is an adapter. Subscribers of this node
// still get messages published here with PublishLocal.
func (ps *PubSub) Close() {
	if ps.adapter != nil {
		ps.adapter.Close()
	}
}

// Publish delivers m to the subscribers of its topic on all nodes. It does not
// wait for them. If it fails, no subscriber has got the message, here or
// elsewhere. It fails with [ErrOverloaded], or with an error of the adapter
// (spec §6.1).
func (ps *PubSub) Publish(m *Message) error {
	if ps.overloaded(m.Topic) { // before the others get it
		return ErrOverloaded
	}
	if ps.adapter != nil {
		if err := ps.adapter.Broadcast(m); err != nil {
			return err
		}
	}
	ps.dispatch(m, inline)
	return nil
}

// PublishLocal is Publish for the subscribers on this node only.
func (ps *PubSub) PublishLocal(m *Message) error {
	if ps.overloaded(m.Topic) {
		return ErrOverloaded
	}
	ps.dispatch(m, inline)
	return nil
}

// PublishTo is Publish for the subscribers on one node, this one or another. It
// fails with ErrUnknownNode.
func (ps *PubSub) PublishTo(node string, m *Message) error {
	switch {
	case node == ps.Node():
		return ps.PublishLocal(m)
	case ps.adapter == nil:
		return ErrUnknownNode
	}
	return ps.adapter.Send(node, m)
}

// Node returns the name of this node, or "" without an adapter.
func (ps *PubSub) Node() string {
	if ps.adapter == nil {
		return ""
	}
	return ps.adapter.Node()
}

// AdapterStats returns the adapter's statistics, or the zero value without one.
func (ps *PubSub) AdapterStats() AdapterStats {
	if ps.adapter == nil {
		return AdapterStats{}
	}
	return ps.adapter.Stats()
}

// Pending returns the bytes that wait to be delivered, as [Config.MaxPending]
// counts them, and how many may.
func (ps *PubSub) Pending() (bytes, max int64) { return ps.pending.Load(), ps.maxPending }

// left returns what is left of the budget.
func (ps *PubSub) left() int64 { return ps.maxPending - ps.pending.Load() }

// overloaded reports whether too much waits to accept one more message of a topic. A
// topic may hold as much as is left for all others, so that a crowd that is slow to
// serve refuses its own publishers, not those of other topics.
func (ps *PubSub) overloaded(name string) bool {
	left := ps.left()
	if left >= ps.maxPending/2 { // it cannot hold more
		return false
	}
	over := left < 0
	ps.each(name, func(t *topic) { over = over || t.held > left })
	return over
}

// behind reports whether most of a topic's subscribers are full. Then the topic waits
// for them: in the end its publishers are refused, rather than its subscribers cut off.
// It does not wait for the few that are slower than the others.
func (ps *PubSub) behind(name string) bool {
	if ps.full == nil {
		return false
	}
	isFull := ps.full()
	if isFull == nil {
		return false
	}
	full, of := 0, 0
	ps.each(name, func(t *topic) {
		f, n := t.fullLocked(isFull)
		full, of = full+f, of+n
	})
	return 2*full > of
}

// dispatch gives m to the subscribers of its topic. Up to few are served by the
// caller.
func (ps *PubSub) dispatch(m *Message, few int) {
	if few > 0 && ps.behind(m.Topic) {
		few = 0
	}
	var to [inline]Subscriber
	n := 0
	ps.each(m.Topic, func(t *topic) { n = t.publishLocked(m, to[:few]) })
	if n == 0 {
		return
	}
	b := batchOf(m)
	for _, sub := range to[:n] {
		sub.Deliver(b)
	}
}

// SubscribersEverywhere returns how many subscriptions a topic has on all
// nodes. It waits for the other nodes until ctx is done; then it returns the
// sum so far, and a *[SilentError]. With an adapter that cannot ask, it returns
// [ErrNoCounter] and this node's count.
func (ps *PubSub) SubscribersEverywhere(ctx context.Context, name string) (int, error) {
	here := ps.Subscribers(name)
	if ps.adapter == nil {
		return here, nil
	}
	counter, ok := ps.adapter.(Counter)
	if !ok {
		return here, ErrNoCounter
	}
	elsewhere, err := counter.Count(ctx, name)
	return here + elsewhere, err
}

// Subscribers returns how many subscriptions a topic has on this node.
func (ps *PubSub) Subscribers(name string) int {
	n := 0
	ps.each(name, func(t *topic) { n += int(t.roster.n) })
	return n
}
