package pubsub

import (
	"sync"

	"github.com/roost-rt/roost/poller/lane"
)

const (
	// split is how many members a part of a topic takes before the next is opened: the
	// number that one turn serves.
	split = lane.Budget * chunk

	// moved is the most members that move to another part when one leaves.
	moved = 16
)

// A crowd is a topic with more than split members, in parts that lie in different
// shards: the first in the shard of the topic's name, the others in the shards after it.
//
// A publisher holds mu while it queues a message for all parts; a member that comes or
// goes holds it, too. So a member of an idle part has got all messages published so far,
// and can move to another part as if it had just subscribed there.
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

// lock locks the crowd and reports true, unless it is over.
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

// placeLocked returns the part for a new member: the smaller of the last one, which was
// opened last, and one of the parts in turn. If that is full, it opens another.
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

// turnLocked returns the first n parts in turn.
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

// shrink is called when a part is idle: members may have left while it was busy, and
// perhaps none is left whose leaving would shrink the crowd.
func (c *crowd) shrink() {
	if c.lock() {
		c.shrinkLocked()
		c.mu.Unlock()
	}
}

// shrinkLocked gives up parts while few members are left. When only the first is left,
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

// clearLocked moves some members of the last part to another, if it is idle, and removes
// it once it has none.
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
