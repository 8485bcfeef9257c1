// Package pubsub passes messages to the subscribers of a topic, at most once
// and without waiting for any of them (spec §6).
//
// An [Adapter] carries messages to the other nodes of a cluster, each node once;
// there they go to its own subscribers.
//
// It knows nothing of sockets or Phoenix: a [Subscriber] is whoever takes a
// [Batch]. Subscribers are spread over shards. A message for a few of them is
// delivered by the publisher's own goroutine; for many, each shard walks its
// own in turns on a worker pool, so that all processors take part and no
// publisher waits.
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
package pubsub
