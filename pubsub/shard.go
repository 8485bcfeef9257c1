package pubsub

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// inline is the most subscribers that a publisher serves itself.
	inline = 64

	// chunk is how many subscribers are served between two looks at the queue: a
	// big topic must not make a small one wait.
	chunk = 256

	// turnBudget is how many chunks make a turn: some 8 ms of system calls.
	turnBudget = 4

	// maxBatch and maxBatchBytes are how many messages are delivered at once: a
	// batch has an encoding of its own, and long messages gain nothing by it.
	maxBatch      = 64
	maxBatchBytes = 256 << 10

	// sample is how many of a topic's subscribers a shard looks at to see whether they
	// are behind, and pause is how long until that is done again.
	sample = 32
	pause  = 5 * time.Millisecond

	// overhead is what a waiting message counts beside its bytes.
	overhead = 256
)

// A Subscription is a subscriber's handle, to be embedded in it. The zero value
// is no subscription.
type Subscription struct {
	topic *topic // nil when not subscribed
	index uint32 // in topic.roster; guarded by the shard
	skip  uint32 // of the messages that waited when it subscribed, those it has yet to pass over; then the turn's
}

// Topic is the name of the topic, or "" when not subscribed. The string is
// shared by all its subscribers.
func (s *Subscription) Topic() string {
	if s.topic == nil {
		return ""
	}
	return s.topic.name
}

// pass returns how many of the next n messages, which are the first of those
// that wait, the subscriber came too late for. There is no count of messages that
// could wrap: who has passed over what waited gets everything.
func (s *Subscription) pass(n int) int {
	if s.skip == 0 {
		return 0
	}
	passed := min(int(s.skip), n)
	s.skip -= uint32(passed)
	return passed
}

// A shard is a part of all subscribers, with the queue of what they shall get.
type shard struct {
	pool    Executor
	pending *atomic.Int64           // of the PubSub
	behind  func(topic string) bool // of the PubSub

	mu      sync.Mutex // guards the rest and what topics say; never held while delivering
	topics  map[string]*topic
	busy    []*topic // with something to deliver, next one first
	claimed bool     // a turn is queued or running
}

// A topic is the part of a topic's subscribers that belong to a shard. All its
// fields but the first two are guarded by the shard.
type topic struct {
	shard *shard
	name  string

	roster  roster
	waiting []*Message // not in the batch yet
	batch   *Batch     // on its walk past the roster, or nil; only the turn changes it
	next    uint32     // who gets the batch next; 0 without one
	end     uint32     // who is beyond came later; 0 without a batch
	held    int64      // bytes of what waits and of the batch
}

func (s *shard) subscribe(name string, sub Subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		t = &topic{shard: s, name: name}
		s.topics[name] = t
	}
	*sub.Subscription() = Subscription{t, t.roster.n, uint32(len(t.waiting))}
	t.roster.push(sub)
}

func (s *shard) unsubscribe(t *topic, sub Subscriber) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := sub.Subscription()
	t.removeLocked(h.index)
	h.topic = nil
	t.dropLocked()
}

// removeLocked takes number i off the roster. A walk divides that into those who
// were served, those who are to be, and those who came later. The last of a part
// moves into its gap, which is at its end then: everybody stays in the same part,
// and at most three move.
func (t *topic) removeLocked(i uint32) {
	for _, end := range [...]*uint32{&t.next, &t.end} {
		if i < *end {
			*end--
			t.moveLocked(*end, i)
			i = *end
		}
	}
	t.moveLocked(t.roster.n-1, i)
	t.roster.pop()
}

func (t *topic) moveLocked(from, to uint32) {
	if from != to {
		sub := *t.roster.slot(from)
		*t.roster.slot(to) = sub
		sub.Subscription().index = to
	}
}

// dropLocked forgets a topic that nobody listens to.
func (t *topic) dropLocked() {
	if t.roster.n == 0 && t.batch == nil && len(t.waiting) == 0 {
		delete(t.shard.topics, t.name)
	}
}

func (s *shard) count(name string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		return 0
	}
	return int(t.roster.n)
}

// held is how many bytes wait for the shard's subscribers of a topic.
func (s *shard) held(name string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		return 0
	}
	return t.held
}

// publish delivers m at once to up to few subscribers if nothing is before it,
// else it queues it. few is at most inline.
func (s *shard) publish(m *Message, few int) {
	var to [inline]Subscriber
	s.mu.Lock()
	t := s.topics[m.Topic]
	if t == nil {
		s.mu.Unlock()
		return
	}
	idle := t.batch == nil && len(t.waiting) == 0
	if idle && int(t.roster.n) <= few {
		n := t.roster.read(to[:], 0, t.roster.n)
		s.mu.Unlock()
		b := &Batch{Messages: []*Message{m}}
		for _, sub := range to[:n] {
			sub.Deliver(b)
		}
		return
	}
	t.waiting = append(t.waiting, m)
	t.holdLocked(m)
	if idle {
		s.busy = append(s.busy, t)
	}
	ask := !s.claimed
	s.claimed = true
	s.mu.Unlock()
	if ask {
		s.pool.Go(s)
	}
}

// Turn delivers for a while. Of the busy topics each has one chunk in turn.
func (s *shard) Turn() {
	var to [chunk]Subscriber
	var firsts [16]int
	for range turnBudget {
		t, n := s.take(&to)
		if t == nil {
			return
		}
		for group := range slices.Chunk(to[:n], len(firsts)) {
			// Who came while the first messages were waiting gets the later ones. A
			// loop of its own: the processor fetches several subscribers, none of
			// which is in its caches, at a time.
			for i, sub := range group {
				firsts[i] = sub.Subscription().pass(len(t.batch.Messages))
			}
			for i, sub := range group {
				if t.batch.first = firsts[i]; t.batch.first < len(t.batch.Messages) {
					sub.Deliver(t.batch)
				}
			}
		}
		s.put(t)
	}
	s.pool.Go(s) // keep the claim, go to the back of the line
}

// take takes the next topic off the queue and fills to with who gets its batch
// next. Without a topic, the claim is dropped.
func (s *shard) take(to *[chunk]Subscriber) (*topic, int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.busy) > 0 {
		t := s.busy[0]
		s.busy[0] = nil
		s.busy = s.busy[1:]
		if t.batch == nil {
			if s.waitLocked(t) {
				continue
			}
			t.startLocked()
		}
		n := t.roster.read(to[:], t.next, t.end)
		t.next += uint32(n)
		return t, n
	}
	s.claimed = false
	return nil, 0
}

// waitLocked reports whether the next batch of a topic has to wait for its
// subscribers, and sees to it that it does. It lets go of the lock in between; the
// topic stays the turn's, as it is not idle.
func (s *shard) waitLocked(t *topic) bool {
	s.mu.Unlock()
	defer s.mu.Lock()
	if !s.behind(t.name) {
		return false
	}
	time.AfterFunc(pause, func() { s.resume(t) })
	return true
}

// fullOf looks at some subscribers of a topic, and returns how many of how many are
// full.
func (s *shard) fullOf(name string, isFull func(Subscriber) bool) (full, of int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.topics[name]
	if t == nil {
		return 0, 0
	}
	of = int(min(t.roster.n, sample))
	for i := range of {
		if isFull(*t.roster.slot(uint32(uint64(i) * uint64(t.roster.n) / uint64(of)))) {
			full++
		}
	}
	return full, of
}

// resume looks again at a topic whose subscribers were behind.
func (s *shard) resume(t *topic) {
	s.mu.Lock()
	s.busy = append(s.busy, t)
	ask := !s.claimed
	s.claimed = true
	s.mu.Unlock()
	if ask {
		s.pool.Go(s)
	}
}

// put gives a topic back after the chunk has been delivered. Until then it was
// not idle, or a publisher might have overtaken the chunk.
func (s *shard) put(t *topic) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t.next == t.end {
		for _, m := range t.batch.Messages {
			t.releaseLocked(m)
		}
		t.batch, t.next, t.end = nil, 0, 0
		t.dropLocked()
	}
	if t.batch != nil || len(t.waiting) > 0 {
		s.busy = append(s.busy, t)
	}
}

// startLocked makes a batch of what waits and sends it on its walk.
func (t *topic) startLocked() {
	n, size := 1, t.waiting[0].size()
	for n < min(len(t.waiting), maxBatch) {
		if size += t.waiting[n].size(); size > maxBatchBytes {
			break
		}
		n++
	}
	t.batch = &Batch{Messages: t.waiting[:n:n]}
	t.waiting = t.waiting[n:]
	if len(t.waiting) == 0 {
		t.waiting = nil
	}
	t.end = t.roster.n
}

// holdLocked counts m as pending from its first shard on, until releaseLocked has
// been called in each shard that holds it.
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
