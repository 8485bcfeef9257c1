// Package conduct makes a run: it directs processes of clients through a scenario and
// records the results.
//
// [Run] starts the servers and the processes of clients (packages proc and agent),
// gives them their orders (package order), and yields records (package record). It
// draws no conclusions: the report does. [Probe] finds out beforehand whether a server
// is there.
//
// The state of a run and what all stages use (run.go, account.go, tick.go, edge.go,
// worker.go) know no stage; a stage knows them; conduct.go puts the stages in their
// order. A scenario is a part, in a file of its own.
//
// # Process
//
// Code of this package runs in the coordinator. A run has one.
//
// # Concurrency
//
// The coordinator is one goroutine; others only feed its inbox.
package conduct
