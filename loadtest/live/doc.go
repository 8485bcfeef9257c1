// Package live shows a run while it goes on to whoever asks: as metrics that
// Prometheus scrapes, and to a receiver of OTLP.
//
// It is told the records of the run. Names are API: they begin with loadtest_, times
// are in seconds, memory is in bytes, and a total only ever grows.
package live
