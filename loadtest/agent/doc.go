// Package agent runs clients on other machines than the coordinator's.
//
// [Serve] is the agent of a load machine: it starts processes of clients there for
// a coordinator that connects to it. [Dial] makes an [Agent] at the coordinator,
// which compares the two clocks and starts each [Process]. It carries the lines of
// package order to and fro, wrapped, but does not read them.
//
// # Process
//
// Serve and what it calls run in the agent, Dial and what it returns in the
// coordinator. Both ends must be the same program, or at least speak the same
// version of the protocol.
//
// # Concurrency
//
// An Agent is for one run at a time, and its processes may be used by different
// goroutines.
package agent
