// Package user is one process full of users of an application that speaks Phoenix
// Channels: they do what a script says.
//
// [Serve] does what its coordinator orders, and tells what comes of it: the words
// are those of package order. [Try] is one user who finds out beforehand whether
// script and application fit.
//
// Other than the clients of package swarm, of which a host holds a million, a user
// is two goroutines and some 20 KB: one goes through the steps, the other reads. So
// a step may wait, and TLS and HTTP are those of Go's own libraries.
//
// # Concurrency
//
// What a user's two goroutines share is behind user.mu. What all users of a process
// count together is behind crew.mu. No lock is held while another is taken, or
// during a system call.
package user
