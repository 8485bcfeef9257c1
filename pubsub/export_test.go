package pubsub

// Pages is how many pages a topic has in the first shard, beside the first.
func Pages(ps *PubSub, topic string) int { return len(ps.shards[0].topics[topic].roster.more) }
