// Package vtcp is the TCP of load-test clients, kept in user space: a few
// bytes for each client where a kernel socket takes kilobytes.
//
// It is pure: segments in, segments out, and the time is an argument. The
// device that carries the segments is package tun's.
package vtcp
