// Package tracker records who is where on all nodes of a cluster, as a CRDT that
// consists of values only: no clock, no network, no goroutines.
//
// Each node is a [Replica], and only it changes its own entries. Each change advances
// the replica's clock by one. So everything that a node says about itself is one
// sequence, and merging means to have read further in it: other nodes know a replica's
// state at some clock, and the later clock wins, in whatever order, and however often,
// messages come.
//
// A node sends its changes as a [Delta], and now and then its clock alone. A node that
// has missed something asks for it and gets the changes, or a snapshot in parts if they
// are no longer kept. (Phoenix replicates the same by an observed-remove set with tags
// and a cloud, spec §7.3. One writer for each entry is enough here.)
//
// A node that falls silent is down: its entries leave, but are kept, and come back with
// its next word. A node that starts again is another replica, whose first word ends the
// old one.
//
// A [State] is for one goroutine at a time.
package tracker
