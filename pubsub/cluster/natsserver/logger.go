package natsserver

import (
	"fmt"
	"log/slog"
	"sync/atomic"
)

// A logger passes on what the NATS server logs: what it calls a notice is detail
// here.
type logger struct {
	log   *slog.Logger
	fatal atomic.Pointer[fatalError] // the last one: why the server did not start
}

// A fatalError is what the NATS server only logs.
type fatalError struct{ text string }

func (e *fatalError) Error() string { return e.text }

func (l *logger) Noticef(format string, v ...any) {
	l.log.Debug("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Warnf(format string, v ...any) {
	l.log.Warn("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Errorf(format string, v ...any) {
	l.log.Error("NATS server: " + fmt.Sprintf(format, v...))
}
func (l *logger) Debugf(string, ...any) {}
func (l *logger) Tracef(string, ...any) {}

// Fatalf does not end the process: Start returns the error.
func (l *logger) Fatalf(format string, v ...any) {
	l.fatal.Store(&fatalError{fmt.Sprintf(format, v...)})
}
