// Package tracker records who is where on all nodes of a cluster, as a CRDT that
// consists of values only: no clock, no network, no goroutines.
//
// Each node is a [Replica], and only it changes its own entries. Each change advances
// the replica's clock by one, so all that a node says about itself is one sequence, and
// other nodes know it up to some clock. To merge is to read on in that sequence: the
// later clock wins, however often messages come and in whatever order.
//
// A node sends its changes as a [Delta], and now and then its clock alone. A node that
// has missed some asks for them, and gets the changes or, if the log no longer has them,
// a snapshot in parts. (Phoenix uses an observed-remove set with tags and a cloud, spec
// §7.3. With one writer for each entry this is enough.)
//
// A node that falls silent is down: its entries leave, but are kept, and return with its
// next message. A node that restarts is another replica, and its first message ends the
// old one.
//
// A [State] is for one goroutine at a time.
package tracker
