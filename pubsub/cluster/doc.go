// Package cluster connects nodes into one cluster over NATS: a [Link] is the
// adapter of package pubsub. It knows nothing of sockets or Phoenix, and runs
// no NATS server of its own; package natsserver does. The Link uses NATS
// through a [Carrier], which another may replace: everything below holds for
// that, too.
//
// # What crosses
//
// Topics lie in 1,024 buckets, by a hash of their names, so millions of rooms
// are not millions of subjects. A node listens to these subjects, whose first
// parts keep clusters apart:
//
//	roost.<cluster>.b.<bucket>   broadcasts to the topics of a bucket; only while one of
//	                             them has subscribers here, and six beats longer
//	roost.<cluster>.all          messages for all nodes: which are here, their tables, and
//	                             what they ask when they listen to further buckets
//	roost.<cluster>.node.<id>    messages for this one; id is new with each start
//	roost.<cluster>.repair.<id>  requests of other nodes to send again, or to count, and
//	                             answers to this node's own requests
//
// A broadcast therefore crosses once to each node that listens to its bucket,
// however many clients have subscribed, and costs the other nodes nothing. See
// envelope.go for the bytes. Anyone who may publish to these subjects may
// broadcast to every client: the NATS server must be private or require
// credentials, or nodes must sign: [Config.Secret].
//
// # Many rooms
//
// A node with subscribers of R topics listens to about 1,024 × (1 - e^(-R/1024))
// buckets: to 39 % of them with 500 topics, 62 % with 1,000, 95 % with 3,000. With
// more it hears nearly all broadcasts. One without subscribers here costs 1.5 to
// 2 µs of CPU time, a third of that in the NATS client, so 10,000 a second take 2 %
// of a processor (BenchmarkDeafNode). The network binds first: each message goes
// to each node.
//
// More buckets are no cure, since each costs. A node has a subscription and 80
// bytes for every bucket, 60 bytes for every other node that it hears there, and
// a row of 7 bytes in its table, which whoever joins asks of all. With 65,536 of
// them and 20 nodes that makes 270 MB in each node and tables of 460 KB, and a
// node with 100,000 topics would still hear 78 % of all broadcasts.
//
// # What is lost
//
// Delivery is at most once (spec §6.2), without waiting for acknowledgements.
// While the link is down or slow messages wait, up to [Config.MaxPending] bytes
// and [Config.MaxWait] long. A publisher that is faster than the link gets
// pubsub.ErrOverloaded before any client has got the message. When a lost link
// comes back, messages wait a little more, also for the nodes that lost their
// own links, so that a restart of the NATS server loses nothing. Subscribers of
// this node never wait: they get every published message in any case.
//
// Broadcasts are numbered from 1 in each bucket, and each node keeps the last
// ones it has sent: up to [Config.MaxKept] bytes, for up to 2 ×
// [Config.MaxWait]. From the numbers a node sees what it has missed, for
// whatever reason: a link or a NATS server that died or hung, or NATS dropping
// messages that arrive too fast. It asks the sender for the missing broadcasts,
// and later ones wait for their turn. So the broadcasts of a node to a topic
// arrive in order and once, or not at all if they are no longer kept or no node
// has answered for [Config.MaxWait]. Both ends count the losses
// ([pubsub.AdapterStats]) and log once in each [Config.Beat]. Messages to one
// node only have no numbers.
//
// If the last broadcasts of a bucket are missing, no later number shows it. The
// next beat does: it tells the numbers of the buckets that were used lately. A node
// that has missed several beats asks for those of all buckets.
//
// A number is a claim that only its node can confirm: a forged or late one
// makes a node ask, but skip nothing.
//
// # Broken and hostile nodes
//
// No envelope is trusted. What cannot be read is counted and dropped, and what is
// kept for others has bounds: the bytes that wait for their turn, the questions and
// tables that are owed (4,096 each, a few at a time, and messages go on between them),
// and 4,096 nodes, of which those that have fallen silent are forgotten at once while
// more than half of that are known. Whatever was said in the name of a node, what it
// says next puts it right.
//
// Without [Config.Secret] that is not enough against who means it: a message with
// the right number is delivered in place of the node's own, and a goodbye is believed
// until the next beat.
//
// # Who subscribes
//
// Subscribers do not wait until the network knows of them. The rule is: a
// broadcast that another node sends after Subscribe has returned arrives, if it
// is still kept. The carrier takes a while to learn that this node listens to a
// new bucket, and broadcasts sent in that time are missed. So the node asks all
// where they are in that bucket. If an answer shows a broadcast that is no older
// than the subscriber, the node asks for everything sent since then, and later
// broadcasts wait. It does not know how long its question was
// under way, so it also gets some from a few milliseconds before, as if they
// had been under way for that long.
//
// # Busy hosts
//
// A node whose process does not run for a while, because its host is busy,
// keeps its link, and does not count others as gone for messages it has not
// read meanwhile. A NATS server hangs up (EOF) on a node that does not read for
// its write_deadline once the buffers of the connection are full, with some
// megabytes: 10 s by default, 30 s in package natsserver. Set write_deadline:
// "30s" in a server of your own that has a hundred nodes on one host. A node
// that is hung up on connects again and asks for the missing messages.
//
// # Concurrency
//
// Broadcast, Send, Node and Stats may be called from any goroutine and never
// wait for the network. Count may also be called from any goroutine, but only
// waits for the network. Listen and Ignore take a lock for the first topic of a
// bucket and the last. One goroutine of a Link sends to the others, three
// receive, one asks again for missing broadcasts, and one tells the carrier
// which subjects to listen to. Close must not be called from deliver.
package cluster
