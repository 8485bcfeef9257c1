package pubsub

// Pages is how many pages a topic has in the first shard, beside the first.
func Pages(ps *PubSub, topic string) int { return len(ps.shards[0].topics[topic].roster.more) }

// Pending is the budget that is in use.
func Pending(ps *PubSub) int64 { return ps.pending.Load() }

// Held is the sum of the messages that wait or are on a walk, each once.
func Held(ps *PubSub) (bytes int64) {
	seen := make(map[*Message]bool)
	for _, s := range ps.shards {
		for _, t := range s.topics {
			held := t.waiting
			if t.batch != nil {
				held = append(held[:len(held):len(held)], t.batch.Messages...)
			}
			for _, m := range held {
				if !seen[m] {
					seen[m] = true
					bytes += m.size()
				}
			}
		}
	}
	return bytes
}
