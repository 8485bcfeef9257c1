// Package pubsub passes messages to the subscribers of a topic, at most once
// and without waiting for any of them (spec §6).
//
// An [Adapter] carries messages to the other nodes of a cluster, each node once;
// there they go to its own subscribers.
//
// It knows nothing of sockets or Phoenix: a [Subscriber] is whoever takes a
// [Batch]. Topics are spread over shards by the hash of their names. A message for
// a few subscribers is delivered by the publisher's own goroutine; for many, the
// topic's shard walks them in turns on a worker pool, so that no publisher waits.
// A topic with more than 1,024 is a crowd, in parts that lie in several shards, so
// that all processors take part.
//
// # Order
//
// Each subscriber gets the messages that one goroutine publishes to one topic
// in that order, on every node. There is none between publishers, between topics,
// or between what is published for all and for one node.
//
// # Concurrency
//
// Everything may be called from any goroutine. Deliver is called without a lock
// held. A subscriber may still get a batch that was on its way while it
// unsubscribed.
//
// A crowd has a lock, and each shard; the crowd's is taken first, and never two
// shards' at a time. What concerns a topic that is no crowd takes its shard's only.
package pubsub
