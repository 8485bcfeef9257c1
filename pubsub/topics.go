package pubsub

import "iter"

// atOnce is how many topics are read under one lock: publishers wait meanwhile.
const atOnce = 256

// Topics yields the topics with subscribers on this node, in no order, with the
// number of subscribers. Topics that come or go meanwhile may be included or
// not. No lock is held for long, and none while the caller handles a topic.
func (ps *PubSub) Topics() iter.Seq2[string, int] {
	return func(yield func(string, int) bool) {
		for _, s := range ps.shards[:len(ps.shards)/2] { // the others are the same again
			for some := range s.names() {
				for _, name := range some {
					if n := ps.Subscribers(name); n > 0 && !yield(name, n) {
						return
					}
				}
			}
		}
	}
}

// names yields the names of the shard's topics, some at a time.
func (s *shard) names() iter.Seq[[]string] {
	return func(yield func([]string) bool) {
		some := make([]string, 0, atOnce)
		s.mu.Lock()
		for name := range s.topics { // others may change it while it is unlocked
			if some = append(some, name); len(some) < atOnce {
				continue
			}
			s.mu.Unlock()
			if !yield(some) {
				return
			}
			some = some[:0]
			s.mu.Lock()
		}
		s.mu.Unlock()
		yield(some)
	}
}
