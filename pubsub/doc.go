// Package pubsub delivers messages to the subscribers of a topic, at most once
// and without waiting for any of them (spec §6).
//
// An [Adapter] carries messages to the other nodes of a cluster, once to each
// node, which delivers them to its own subscribers.
//
// It knows nothing of sockets or Phoenix: a [Subscriber] is anything that takes
// a [Batch]. Topics are spread over shards by the hash of their names. A
// message for a few subscribers is delivered by the publisher's own goroutine;
// for many, the topic's shard walks them in turns on a worker pool, so that no
// publisher waits. A topic with more than 1,024 subscribers is a crowd, split
// into parts in several shards, so that all processors take part.
//
// # Order
//
// Each subscriber gets the messages that one goroutine publishes to one topic
// in that order, on every node. There is no order between publishers, between
// topics, or between messages published for all nodes and for one.
//
// # Concurrency
//
// Everything may be called from any goroutine. Deliver is called without a lock
// held. A subscriber may still get a batch that was on its way while it
// unsubscribed.
//
// Each crowd and each shard has a lock. The crowd's is taken first, and never
// the locks of two shards at a time. Operations on a topic that is not a crowd
// take only its shard's.
package pubsub
