// Package order is the language between the two ends of a load test: a coordinator
// (package conduct) and the processes that hold its clients (package swarm).
//
// They exchange lines of JSON, a [Command] one way and an [Event] the other. What
// both must mean the same by is here, too: the clock by which moments are told
// ([Now]), when a writer's messages are due ([Pacer], [Schedule]), what is counted
// ([Counts]), and how latencies are told ([NewHistogram]).
//
// # Process
//
// Code of this package runs at both ends, and in agents, which carry the lines from
// one machine to another. It starts nothing and keeps nothing: apart from the clock
// it is pure. All types are values that belong to whoever has them.
//
// Moments are nanoseconds of the coordinator's monotonic clock.
package order
