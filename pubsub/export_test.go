package pubsub

import "unsafe"

// Pages returns how many pages the parts of a topic have, besides the first of each.
func Pages(ps *PubSub, name string) (n int) {
	ps.each(name, func(t *topic) { n += len(t.roster.more) })
	return n
}

// Parts returns how many members each part of a topic has.
func Parts(ps *PubSub, name string) (n []int) {
	ps.each(name, func(t *topic) { n = append(n, int(t.roster.n)) })
	return n
}

// Topics returns how many topics there are. No turn may be under way.
func Topics(ps *PubSub) (n int) {
	for _, s := range ps.shards[:len(ps.shards)/2] {
		n += len(s.topics)
	}
	return n
}

// Split is how many members a part takes.
const Split = split

// Pending returns how much of the budget is in use.
func Pending(ps *PubSub) int64 { return ps.pending.Load() }

// Held returns the sum of the messages that wait or are on a walk, each counted once.
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

// LockOthers locks all shards except the topic's own.
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

// The sizes of a subscription and of a topic.
const (
	SubscriptionSize = unsafe.Sizeof(Subscription{})
	TopicSize        = unsafe.Sizeof(topic{})
)
