package pubsub

import (
	"sync"

	"github.com/roost-rt/roost/poller/lane"
)

const (
	// split is how many members a part of a topic takes before the next is opened: as
	// many as one turn serves.
	split = lane.Budget * chunk

	// moved is the most members that one who leaves makes move to another part.
	moved = 16
)

// A crowd is a topic with more than split members, in parts that lie in different
// shards: the first in the shard of the topic's name, each other in the next one.
//
// Publishing holds mu while it queues a message for all parts, and so do members that
// come or go. So a member of an idle part has got all messages published so far, and may
// move to another part as if it had just subscribed there.
type crowd struct {
	shards []*shard // of the PubSub, the first part's first
	mu     sync.Mutex
	parts  []*topic // nil when the crowd is over; a part's roster changes only under mu and its shard's
	n      int      // members of all parts
	next   int      // part, round robin
}

// crowdLocked returns the topic's crowd, and begins one if the topic is full. The
// topic is in the first of the given shards.
func (t *topic) crowdLocked(shards []*shard) *crowd {
	if t.crowd == nil && t.roster.n >= split && len(shards) > 1 {
		t.crowd = &crowd{shards: shards, parts: []*topic{t}, n: int(t.roster.n)}
	}
	return t.crowd
}

// lock reports whether the crowd still is one, and locks it if so.
func (c *crowd) lock() bool {
	c.mu.Lock()
	if c.parts == nil {
		c.mu.Unlock()
		return false
	}
	return true
}

// eachLocked calls do with each part, its shard locked.
func (c *crowd) eachLocked(do func(*topic)) {
	for _, t := range c.parts {
		t.shard.mu.Lock()
		do(t)
		t.shard.mu.Unlock()
	}
}

func (c *crowd) subscribeLocked(sub Subscriber) {
	t := c.placeLocked()
	t.shard.mu.Lock()
	t.addLocked(sub)
	t.shard.mu.Unlock()
	c.n++
}

// placeLocked returns the part for one who comes: the last one, which is the one that
// was opened last, or in turn one that has fewer. If that is full, it opens another.
func (c *crowd) placeLocked() *topic {
	last := c.parts[len(c.parts)-1]
	t := c.turnLocked(len(c.parts))
	if last.roster.n < t.roster.n {
		t = last
	}
	if t.roster.n < split || len(c.parts) == len(c.shards) {
		return t
	}
	t = &topic{shard: c.shards[len(c.parts)], name: t.name, crowd: c}
	c.parts = append(c.parts, t)
	return t
}

// turnLocked returns one of the first n parts after the other.
func (c *crowd) turnLocked(n int) *topic {
	c.next++
	return c.parts[c.next%n]
}

func (c *crowd) unsubscribeLocked(sub Subscriber) {
	t := sub.Subscription().topic.Load()
	t.shard.mu.Lock()
	t.removeLocked(sub)
	t.shard.mu.Unlock()
	c.n--
	c.shrinkLocked()
}

// shrink is called when a part is idle: there may be fewer now than there are parts
// for, but none left to say so.
func (c *crowd) shrink() {
	if c.lock() {
		c.shrinkLocked()
		c.mu.Unlock()
	}
}

// shrinkLocked gives up parts while few members are left. When there is but the first,
// the crowd is over.
func (c *crowd) shrinkLocked() {
	for len(c.parts) > 1 && c.n <= (len(c.parts)-1)*split/2 {
		if !c.clearLocked() {
			return
		}
	}
	if len(c.parts) > 1 || c.n >= split {
		return
	}
	t := c.parts[0]
	c.parts = nil
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	t.crowd = nil
	t.dropLocked()
}

// clearLocked moves some members of the last part to the others, if it is idle, and
// takes it away once it has none.
func (c *crowd) clearLocked() (gone bool) {
	others := len(c.parts) - 1
	last := c.parts[others]
	var to [moved]Subscriber
	last.shard.mu.Lock()
	if !last.idleLocked() {
		last.shard.mu.Unlock()
		return false
	}
	n := 0
	for ; n < len(to) && last.roster.n > 0; n++ {
		to[n] = last.roster.pop()
	}
	gone = last.roster.n == 0
	last.shard.mu.Unlock()

	t := c.turnLocked(others)
	t.shard.mu.Lock()
	for _, sub := range to[:n] {
		t.addLocked(sub)
	}
	t.shard.mu.Unlock()
	if gone {
		c.parts[others] = nil
		c.parts = c.parts[:others]
	}
	return gone
}
