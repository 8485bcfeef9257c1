package pubsub

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/poller/lane"
)

const (
	// inline is the most subscribers that a publisher serves itself.
	inline = 64

	// chunk is how many subscribers are served between two looks at the queue: a
	// big topic must not make a small one wait. lane.Budget of them make a turn: some
	// 8 ms of system calls.
	chunk = 64

	// maxBatch and maxBatchBytes are how many messages are delivered at once: a
	// batch has an encoding of its own, and long messages gain nothing by it.
	maxBatch      = 64
	maxBatchBytes = 256 << 10

	// sample is how many of a topic's subscribers a shard looks at to see whether they
	// are behind, and pause is how long it waits before it looks again.
	sample = 32
	pause  = 5 * time.Millisecond

	// overhead is how many bytes a waiting message counts beside its own.
	overhead = 256
)

// A Subscription is a subscriber's handle, to be embedded in it. The zero value
// is no subscription.
type Subscription struct {
	topic atomic.Pointer[topic] // nil when not subscribed; another part when a crowd shrinks
	index uint32                // in topic.roster; guarded by the shard
	skip  uint32                // of the messages that waited when it subscribed, those it has yet to pass over; then the turn's
}

// Topic returns the name of the topic, or "" when not subscribed. The string is
// shared by all its subscribers.
func (s *Subscription) Topic() string {
	t := s.topic.Load()
	if t == nil {
		return ""
	}
	return t.name
}

// pass returns how many of the next n messages, the first of those that wait, were
// published before the subscriber came. No count of messages can wrap here: once a
// subscriber has passed over what waited, it gets everything.
func (s *Subscription) pass(n int) int {
	if s.skip == 0 {
		return 0
	}
	passed := min(int(s.skip), n)
	s.skip -= uint32(passed)
	return passed
}

// A shard owns a part of the topics, and the queue of what their subscribers are to get.
type shard struct {
	pool    lane.Pool
	pending *atomic.Int64           // of the PubSub
	behind  func(topic string) bool // of the PubSub
	adapter Selective               // or nil; told of the first subscriber of a topic, and of the last

	mu     sync.Mutex        // guards the rest and what topics say; never held while delivering
	topics map[string]*topic // by name; those whose name hashes to this shard
	busy   lane.Lane[*topic] // those with something to deliver

	_ [64]byte // so that processors working on other shards do not contend for the cache line
}

// A topic holds its subscribers, or a part of them; see crowd. The shard guards all
// fields but the first two.
type topic struct {
	shard *shard
	name  string

	crowd   *crowd // that it is a part of, or nil; once the crowd is over, nil again in the first part
	roster  roster
	waiting []*Message // not on a walk yet
	walk    *walk      // or nil; only the turn changes it
	held    int64      // bytes of what waits and of the walk
}

// A walk brings a batch to the members of a roster.
type walk struct {
	Batch
	next uint32 // the next member to get it
	end  uint32 // members from here on came later
}

// topicLocked returns the topic of a name that hashes to this shard, and makes it if
// there is none.
func (s *shard) topicLocked(name string) *topic {
	t := s.topics[name]
	if t == nil {
		t = &topic{shard: s, name: name}
		s.topics[name] = t
		if s.adapter != nil {
			s.adapter.Listen(name)
		}
	}
	return t
}

// addLocked puts a subscriber on the roster. It gets what is published from now on.
func (t *topic) addLocked(sub Subscriber) {
	h := sub.Subscription()
	h.index, h.skip = t.roster.n, uint32(len(t.waiting))
	h.topic.Store(t)
	t.roster.push(sub)
}

// removeLocked takes a subscriber off the roster. A walk divides the roster into
// members already served, members still to serve, and those who came later. The last
// member of each part fills the gap, so the gap moves to the end of that part and into
// the next: everybody stays in the same part, and at most three move.
func (t *topic) removeLocked(sub Subscriber) {
	h := sub.Subscription()
	i := h.index
	if w := t.walk; w != nil {
		for _, end := range [...]*uint32{&w.next, &w.end} {
			if i < *end {
				*end--
				t.moveLocked(*end, i)
				i = *end
			}
		}
	}
	t.moveLocked(t.roster.n-1, i)
	t.roster.pop()
	h.topic.Store(nil)
}

func (t *topic) moveLocked(from, to uint32) {
	if from != to {
		sub := *t.roster.slot(from)
		*t.roster.slot(to) = sub
		sub.Subscription().index = to
	}
}

// idleLocked reports whether all members have got what was published. It is false
// while a chunk is being delivered.
func (t *topic) idleLocked() bool { return t.walk == nil && len(t.waiting) == 0 }

// dropLocked forgets a topic without subscribers.
func (t *topic) dropLocked() {
	if t.roster.n == 0 && t.crowd == nil && t.idleLocked() {
		delete(t.shard.topics, t.name)
		if t.shard.adapter != nil {
			t.shard.adapter.Ignore(t.name)
		}
	}
}

// publishLocked queues m. If nothing is queued before it and all members fit into to,
// it returns their number instead, and the caller serves them.
func (t *topic) publishLocked(m *Message, to []Subscriber) int {
	idle := t.idleLocked()
	switch {
	case t.roster.n == 0:
		return 0
	case idle && t.crowd == nil && int(t.roster.n) <= len(to):
		return t.roster.read(to, 0, t.roster.n)
	}
	t.waiting = append(t.waiting, m)
	t.holdLocked(m)
	if idle {
		t.queueLocked()
	}
	return 0
}

// queueLocked has the shard serve the topic, after those that wait already.
func (t *topic) queueLocked() {
	if s := t.shard; s.busy.Push(s.pool, t, 0, true) {
		s.pool.Go(s)
	}
}

// Turn delivers for a while; see [lane.Pool]. Busy topics get one chunk each, in
// turn.
func (s *shard) Turn() { s.busy.Turn(s.pool, s, &s.mu, nil, s.serve) }

// serve delivers the batch on the topic's walk, or on the next one, to a chunk of its
// subscribers. If a panic interrupts a chunk, the rest of it goes without the batch.
func (s *shard) serve(t *topic, left bool) {
	if !left {
		if t.walk == nil && s.waits(t) {
			return
		}
		t.deliver()
	}
	s.put(t)
}

// deliver takes the topic's walk a chunk further. Turn only.
func (t *topic) deliver() {
	var to [chunk]Subscriber
	var firsts [16]int
	rest := to[:t.take(&to)]
	for b := &t.walk.Batch; len(rest) > 0; {
		group := rest[:min(len(rest), len(firsts))]
		rest = rest[len(group):]
		// Those who came while the first messages were waiting get only the later
		// ones. This is a loop of its own so that the processor fetches several
		// subscribers at a time: none of them is in its caches.
		for i, sub := range group {
			firsts[i] = sub.Subscription().pass(len(b.Messages))
		}
		for i, sub := range group {
			if b.first = firsts[i]; b.first < len(b.Messages) {
				sub.Deliver(b)
			}
		}
	}
}

// take fills to with the next subscribers on the topic's walk. It begins the walk if
// there is none.
func (t *topic) take(to *[chunk]Subscriber) int {
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	if t.walk == nil {
		t.startLocked()
	}
	n := t.roster.read(to[:], t.walk.next, t.walk.end)
	t.walk.next += uint32(n)
	return n
}

// waits reports whether the next batch of a topic has to wait for its subscribers. If
// so, it queues the topic again later. No publisher queues it meanwhile, as it is not
// idle.
func (s *shard) waits(t *topic) bool {
	if !s.behind(t.name) {
		return false
	}
	time.AfterFunc(pause, func() { // then look again
		s.mu.Lock()
		defer s.mu.Unlock()
		t.queueLocked()
	})
	return true
}

// fullLocked looks at some subscribers of a topic, and returns how many are full, of
// how many.
func (t *topic) fullLocked(isFull func(Subscriber) bool) (full, of int) {
	of = int(min(t.roster.n, sample))
	for i := range of {
		if isFull(*t.roster.slot(uint32(uint64(i) * uint64(t.roster.n) / uint64(of)))) {
			full++
		}
	}
	return full, of
}

// put gives a topic back after the chunk has been delivered. Until then it was
// not idle, or a publisher might have overtaken the chunk.
func (s *shard) put(t *topic) {
	s.mu.Lock()
	var done *crowd
	if w := t.walk; w != nil && w.next == w.end {
		for _, m := range w.Messages {
			t.releaseLocked(m)
		}
		t.walk = nil
		t.dropLocked()
		done = t.crowd
	}
	if !t.idleLocked() {
		t.queueLocked()
	}
	s.mu.Unlock()
	if done != nil {
		done.shrink()
	}
}

// startLocked starts the walk of a batch of what waits.
func (t *topic) startLocked() {
	n, size := 1, t.waiting[0].size()
	for n < min(len(t.waiting), maxBatch) {
		if size += t.waiting[n].size(); size > maxBatchBytes {
			break
		}
		n++
	}
	t.walk = &walk{Batch: Batch{Messages: t.waiting[:n:n]}, end: t.roster.n}
	t.waiting = t.waiting[n:]
	if len(t.waiting) == 0 {
		t.waiting = nil
	}
}

// holdLocked counts m as pending from the first part that holds it until each of them
// has called releaseLocked.
func (t *topic) holdLocked(m *Message) {
	t.held += m.size()
	if m.holders.Add(1) == 1 {
		t.shard.pending.Add(m.size())
	}
}

func (t *topic) releaseLocked(m *Message) {
	t.held -= m.size()
	if m.holders.Add(-1) == 0 {
		t.shard.pending.Add(-m.size())
	}
}
