// Package swarm is one process full of clients of a Phoenix server, which join a
// room each and count every message that is broadcast there.
//
// [Serve] carries out the orders of its coordinator and reports the results, in the
// words of package order. A client has no goroutine, but 44 bytes of slabs; an event
// loop of package poller drives it. The clients of one room are a group, all groups of a
// process a fleet.
//
// # Process
//
// Code of this package runs in the processes of clients, which a coordinator or an
// agent starts. It knows nothing of the run as a whole. (A run with no command for
// such processes has Serve run in the coordinator's own.)
//
// # Concurrency
//
// The fields of a client belong to its event loop. fleet.mu guards the counts of all
// clients of a process; it is never held during a system call.
package swarm
