// Package swarm is one process full of clients of a Phoenix server, which join a
// room each and count every message that is broadcast there.
//
// [Serve] does what its coordinator orders, and tells what comes of it: the words
// are those of package order. A client is no goroutine but 44 bytes of slabs, driven
// by an event loop of package poller. The clients of one room are a group, all
// groups of a process a fleet.
//
// # Process
//
// Code of this package runs in the processes of clients, which a coordinator or an
// agent starts. It knows nothing of the run as a whole. (A run with no command for
// such processes has Serve run in the coordinator's own.)
//
// # Concurrency
//
// The fields of a client belong to its event loop. What the clients of a process
// count together is behind fleet.mu, which is never held during a system call.
package swarm
