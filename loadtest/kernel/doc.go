// Package kernel knows which settings of Linux bound the number of WebSockets
// of a host: what they are ([Read]), at how many clients each of them bites
// ([Check]), and how to raise them ([Tuner]).
//
// It opens no connection and measures nothing. The figures behind the needs are
// constants here, with the measurement in their comment. Everything is read and
// written below a [Root], so that tests have a machine of their own.
//
// # Concurrency
//
// A [Host] and a [Report] are values. A [Tuner] is for one caller at a time;
// nothing keeps two processes from tuning one machine at once.
package kernel
