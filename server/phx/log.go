package phx

import (
	"context"
	"errors"
	"log/slog"
	"math"
	"strings"
	"time"
)

// LogOff, as the level of a log line, switches the line off.
const LogOff = slog.Level(math.MaxInt)

// A span measures something for the log or a hook. If neither wants it, the clock is
// not read.
type span struct {
	log   *slog.Logger
	level slog.Level // of its line; LogOff for no line
	start time.Time
	took  time.Duration // once it has ended
}

// newSpan begins a span. level is the level of its line, usual if it is nil; hooked
// says that there is a hook for it.
func newSpan(log *slog.Logger, level slog.Leveler, usual slog.Level, hooked bool) span {
	s := span{log: log, level: usual}
	if level != nil {
		s.level = level.Level()
	}
	if !s.log.Enabled(context.Background(), s.level) {
		s.level = LogOff
	}
	if hooked || s.logged() {
		s.start = time.Now()
	}
	return s
}

// end stops the clock, if it runs.
func (s *span) end() {
	if !s.start.IsZero() {
		s.took = time.Since(s.start)
	}
}

// logged reports whether the span has a line. Making its arguments is for then.
func (s *span) logged() bool { return s.level != LogOff }

// line writes the line, with why it did not go well, if err is not nil.
func (s *span) line(text string, err error, args ...any) {
	args = append(args, "duration", s.took)
	if err != nil {
		args = append(args, "err", err)
	}
	s.log.Log(context.Background(), s.level, text, args...)
}

var errNoHandler = errors.New("no handler for event")

// crashLevel is the level of the line on a crash: an error, unless any client can
// bring it about.
func crashLevel(err error) slog.Level {
	if errors.Is(err, errNoHandler) {
		return slog.LevelInfo
	}
	return slog.LevelError
}

// httpErrors logs the messages of net/http's server as lines of two kinds: panics of
// Config.HTTP, and faults of clients.
type httpErrors struct{ log *slog.Logger }

func (h httpErrors) Write(line []byte) (int, error) {
	text := strings.TrimSuffix(string(line), "\n")
	if strings.HasPrefix(text, "http: panic serving") {
		what, stack, _ := strings.Cut(text, "\n")
		h.log.Error("panic in the HTTP handler", "err", what, "stack", stack)
	} else {
		h.log.Info("HTTP server", "err", text)
	}
	return len(line), nil
}
