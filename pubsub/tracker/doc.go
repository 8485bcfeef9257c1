// Package tracker holds who is where on all nodes of a cluster, as a CRDT that is
// values only: no clock, no network, no goroutines.
//
// Each node is a [Replica], and the only one that changes its own entries. Each
// change counts the replica's clock up by one. So all that one node says of itself
// is a sequence, and to merge is to have read further in it: what others know of a
// replica is the state at some clock of it, and the later clock wins, in whatever
// order, and however often, messages come.
//
// A node sends what has changed, as a [Delta], and now and then its clock alone. Who
// has missed something asks for it and gets the changes, or a snapshot in parts if
// they are no longer kept. (Phoenix replicates the same by an observed-remove set with
// tags and a cloud, spec §7.3. One writer for each entry is enough here.)
//
// A node of which nothing is heard is down: its entries leave, but are kept, and
// come back with its next word. A node that starts again is another replica, whose
// first word ends the old one.
//
// A [State] is for one goroutine at a time.
package tracker
