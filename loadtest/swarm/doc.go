// Package swarm runs a load test: many clients of a Phoenix server that join a
// room each, and count every message that is broadcast there.
//
// [Run] is the coordinator. It starts the servers and the processes that hold
// the clients, gives them their orders as lines of JSON, and yields records
// (package record). It draws no conclusions: that is the report's part.
// [Serve] is the other end, one process full of clients. A client is no
// goroutine but 72 bytes of slabs, driven by an event loop of package poller.
//
// # Concurrency
//
// The fields of a client belong to its event loop. What the clients of a
// process count together is behind fleet.mu, which is never held during a
// system call. The coordinator is one goroutine; others only feed its inbox.
package swarm
