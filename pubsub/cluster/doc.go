// Package cluster makes nodes one cluster over NATS: a [Link] is the adapter of
// package pubsub. It knows nothing of sockets or Phoenix, and runs no NATS server
// of its own; package natsserver does.
//
// # What crosses
//
// Every node listens to two subjects, whose first parts keep clusters apart:
//
//	roost.<cluster>.all        what is for all nodes
//	roost.<cluster>.node.<id>  what is for this one; id is new with each start
//
// So a broadcast crosses to each node once, whatever its topic and however many
// have subscribed to it. See envelope.go for the bytes. Whoever may publish to
// these subjects may broadcast to every client: the NATS server has to be private,
// or ask for credentials.
//
// # What is lost
//
// At most once (spec §6.2): nothing is acknowledged. While the link is down or
// slow messages wait, up to Config.MaxPending bytes and Config.MaxWait long. Who
// publishes faster than the link takes it is told so before anybody has got the
// message: pubsub.ErrOverloaded. When a lost link comes back messages wait a little more, for the nodes that lost theirs, too, so
// that a restart of the NATS server loses only what was inside it. Subscribers
// of this node never wait: what is published is delivered to them all the same.
//
// Broadcasts are numbered. A node sees from the numbers what it has missed, for
// whatever reason, and drops what comes late or twice: the broadcasts of a node
// arrive in order or not at all, across reconnects, too. Both ends count
// ([pubsub.AdapterStats]) and log once in each Config.Beat.
//
// # Concurrency
//
// Broadcast, Send, Node and Stats may be called from any goroutine and never wait
// for the network. One goroutine of a Link writes to NATS; those of the NATS
// client receive. Close must not be called from deliver.
package cluster
