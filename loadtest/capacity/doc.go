// Package capacity says what a cluster for many clients would take: nodes, memory,
// processors, network and the load of NATS. It computes that from what a run measured
// of one client ([Measured]) and from what the clients do ([Workload]), and simulates
// what an average does not show: where rooms lie, clients that come and go, and the
// storm after a node has died.
//
// It is pure: no clock, no goroutines, no I/O except the given writer. The same values and
// seed make the same [Report]. The report lists its assumptions, sentence by sentence.
package capacity
