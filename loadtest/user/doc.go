// Package user is one process full of users of an application that speaks Phoenix
// Channels: they do what a script says.
//
// [Serve] carries out the orders of its coordinator and reports the results, in the
// words of package order. [Try] is one user who finds out beforehand whether script and
// application fit.
//
// A host holds a million clients of package swarm, but a user takes two goroutines and
// some 20 KB: one goroutine goes through the steps, the other reads. So a step may wait,
// and TLS and HTTP come from Go's own libraries.
//
// # Concurrency
//
// user.mu guards the state that a user's two goroutines share, crew.mu the counts of all
// users of a process. No lock is held while another is taken, or during a system call.
package user
