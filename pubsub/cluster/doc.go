// Package cluster makes nodes one cluster over NATS: a [Link] is the adapter of
// package pubsub. It knows nothing of sockets or Phoenix, and runs no NATS server
// of its own; package natsserver does. What the Link asks of NATS is a [Carrier], in
// whose place another may stand: what is said here holds for that, too.
//
// # What crosses
//
// Every node listens to three subjects, whose first parts keep clusters apart:
//
//	roost.<cluster>.all          what is for all nodes
//	roost.<cluster>.node.<id>    what is for this one; id is new with each start
//	roost.<cluster>.repair.<id>  what another node asks it to send again, or to count,
//	                             and what it has asked for itself
//
// So a broadcast crosses to each node once, whatever its topic and however many
// have subscribed to it. See envelope.go for the bytes. Whoever may publish to
// these subjects may broadcast to every client: the NATS server has to be private,
// or ask for credentials.
//
// # What is lost
//
// At most once (spec §6.2): nobody waits for an acknowledgement. While the link is down or
// slow messages wait, up to Config.MaxPending bytes and Config.MaxWait long. Who
// publishes faster than the link takes it is told so before anybody has got the
// message: pubsub.ErrOverloaded. When a lost link comes back messages wait a little
// more, for the nodes that lost theirs, too, so that a restart of the NATS server
// loses nothing. Subscribers of this node never wait: what is published is delivered
// to them all the same.
//
// Broadcasts are numbered, and each node keeps what it has sent last: up to
// Config.MaxKept bytes, for up to 2 × Config.MaxWait. A node sees from the numbers
// what it has missed, for whatever reason: a link or a NATS server that died or
// hung, or NATS dropping what comes too fast. It asks the sender for it, and what
// comes meanwhile waits for its turn. So the broadcasts of a node arrive in order
// and once, or not at all if they are not kept any more or nobody has answered for
// Config.MaxWait. Both ends count that ([pubsub.AdapterStats]) and log once in each
// Config.Beat. What is sent to one node only has no numbers.
//
// A number is a claim, which only the node that is meant can confirm: one that is
// forged or came late makes a node ask, but skip nothing.
//
// # Concurrency
//
// Broadcast, Send, Node and Stats may be called from any goroutine and never wait
// for the network; Count, which may be, too, does nothing else. One goroutine of a Link sends to the others; those of the NATS
// client receive, and one asks again for what is missing. Close must not be called
// from deliver.
package cluster
