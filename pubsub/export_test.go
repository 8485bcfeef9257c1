package pubsub

import "unsafe"

// Pages is how many pages the parts of a topic have, beside the first of each.
func Pages(ps *PubSub, name string) (n int) {
	ps.each(name, func(t *topic) { n += len(t.roster.more) })
	return n
}

// Parts is how many members the parts of a topic have.
func Parts(ps *PubSub, name string) (n []int) {
	ps.each(name, func(t *topic) { n = append(n, int(t.roster.n)) })
	return n
}

// Topics is how many topics there are. No turn may be under way.
func Topics(ps *PubSub) (n int) {
	for _, s := range ps.shards[:len(ps.shards)/2] {
		n += len(s.topics)
	}
	return n
}

// Split is how many members a part takes.
const Split = split

// Pending is the budget that is in use.
func Pending(ps *PubSub) int64 { return ps.pending.Load() }

// Held is the sum of the messages that wait or are on a walk, each once.
func Held(ps *PubSub) (bytes int64) {
	seen := make(map[*Message]bool)
	for _, s := range ps.shards {
		for name := range s.topics {
			ps.each(name, func(t *topic) {
				held := t.waiting
				if t.walk != nil {
					held = append(held[:len(held):len(held)], t.walk.Messages...)
				}
				for _, m := range held {
					if !seen[m] {
						seen[m] = true
						bytes += m.size()
					}
				}
			})
		}
	}
	return bytes
}

// LockOthers locks all shards but the one that a topic's name leads to.
func LockOthers(ps *PubSub, name string) (unlock func()) {
	others := ps.shardsOf(name)[1:]
	for _, s := range others {
		s.mu.Lock()
	}
	return func() {
		for _, s := range others {
			s.mu.Unlock()
		}
	}
}

// What a subscriber and a topic take.
const (
	SubscriptionSize = unsafe.Sizeof(Subscription{})
	TopicSize        = unsafe.Sizeof(topic{})
)
