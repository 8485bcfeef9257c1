// Package cluster makes nodes one cluster over NATS: a [Link] is the adapter of
// package pubsub. It knows nothing of sockets or Phoenix, and runs no NATS server
// of its own; package natsserver does. What the Link asks of NATS is a [Carrier], in
// whose place another may stand: what is said here holds for that, too.
//
// # What crosses
//
// Topics lie in 1,024 buckets, by a hash of their names: millions of rooms are not
// millions of subjects. A node listens to these subjects, whose first parts keep
// clusters apart:
//
//	roost.<cluster>.b.<bucket>   broadcasts to the topics of a bucket; only while one of
//	                             them has subscribers here, and six beats longer
//	roost.<cluster>.all          what is for all nodes: who is here, and their tables
//	roost.<cluster>.node.<id>    what is for this one; id is new with each start
//	roost.<cluster>.repair.<id>  what another node asks it to send again, or to count,
//	                             and what it has asked for itself
//
// So a broadcast crosses to each node that listens to its bucket once, however many have
// subscribed, and costs the others nothing. See envelope.go for the bytes. Whoever may
// publish to these subjects may broadcast to every client: the NATS server has to be
// private, or ask for credentials, or nodes have to sign: Config.Secret.
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
// Broadcasts are numbered, from 1 on in each bucket, and each node keeps what it has sent
// last: up to Config.MaxKept bytes, for up to 2 × Config.MaxWait. A node sees from the
// numbers what it has missed, for whatever reason: a link or a NATS server that died or
// hung, or NATS dropping what comes too fast. It asks the sender for it, and what
// comes meanwhile waits for its turn. So the broadcasts of a node to a topic arrive in
// order and once, or not at all if they are not kept any more or nobody has answered for
// Config.MaxWait. Both ends count that ([pubsub.AdapterStats]) and log once in each
// Config.Beat. What is sent to one node only has no numbers.
//
// That the last ones of a bucket are missing shows no number after them, but the next
// beat: its table has the numbers of all buckets that were ever used.
//
// A number is a claim, which only the node that is meant can confirm: one that is
// forged or came late makes a node ask, but skip nothing.
//
// # Who subscribes
//
// Subscribers do not wait until the network knows of them. The rule is: what another
// node broadcasts after Subscribe has returned arrives, if it is still kept. For it takes
// until the carrier has it that this node listens to a new bucket, and so much was sent
// meanwhile. Then the node says hello to all, and each answers with its table. Where
// that tells of a broadcast that is no older than the subscriber, the node asks for all
// that was sent since then, and what comes meanwhile waits. It does not know how long its
// question was on the way, so it gets a little more, of a few milliseconds before, as if
// that had been on its way for as long.
//
// # Busy hosts
//
// A node whose process does not run for a while, as its host is busy, keeps its link,
// and others do not count as gone for what it has not read meanwhile. A NATS server hangs
// up (EOF) on a node that does not read for its write_deadline, once the buffers of the
// connection are full, with some megabytes: after 10 s by default, 30 s in package
// natsserver. Set write_deadline: "30s" in a server of your own that has a hundred nodes
// on one host. Whoever is hung up on connects again and asks for what is missing.
//
// # Concurrency
//
// Broadcast, Send, Node and Stats may be called from any goroutine and never wait
// for the network; Count, which may be, too, does nothing else. Listen and Ignore take a
// lock for the first topic of a bucket and the last. One goroutine of a Link sends to
// the others, three receive, one asks again for what is missing, and one tells the
// carrier what to listen to. Close must not be called from deliver.
package cluster
