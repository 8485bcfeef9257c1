// Package vtcp is the TCP of load-test clients, kept in user space: some 30 bytes
// for each client where a kernel socket takes kilobytes.
//
// It is pure: segments in, segments out, no clock and no I/O. The device that
// carries the segments is package tun's.
//
// A client has an address and a port by its number (see [Stack.Addr]), so a
// segment finds its record without a search. The stack keeps what a client has
// sent until it is acknowledged, and nothing of what it receives: a segment that
// comes too early is dropped, and the server sends it again. So it has no
// blocks to report by SACK, and does not offer that; nor does it offer a window
// scale, as the ACKs of a link without latency follow each segment at once. It
// has no congestion control: it is for links of its own, not for the Internet.
//
// # Concurrency
//
// A Stack is for one goroutine at a time. Its records may be shared with a program
// in the kernel that takes broadcasts past it (package fast). While a record has
// [Fast] it is the program's, which may change RcvNxt and Received. The stack takes
// it back before it does anything with it ([Config.Claim]).
package vtcp
