package phx

import (
	"context"
	"log/slog"
	"math"
	"strings"
	"time"
)

// LogOff, as the level of a log line, switches the line off.
const LogOff = slog.Level(math.MaxInt)

// A span is something that takes time and that the log or a hook may want to
// know of. If neither does, nobody looks at the clock.
type span struct {
	log   *slog.Logger
	level slog.Level // of its line; LogOff if there is none
	start time.Time
	took  time.Duration // once it has ended
}

// span begins one. level is that of its line, usual if it is nil; hooked says
// that there is a hook for it.
func (ep *Endpoint) span(level slog.Leveler, usual slog.Level, hooked bool) span {
	s := span{log: ep.log, level: usual}
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

// span is Endpoint.span for what happens on a channel. Topics that start with
// phoenix are never logged (spec §5.5).
func (ch *Channel) span(level slog.Leveler, usual slog.Level, hooked bool) span {
	if strings.HasPrefix(ch.topic, "phoenix") {
		level = LogOff
	}
	return ch.endpoint().span(level, usual, hooked)
}

// logEvent is the level of the lines on a client message; nil is the usual one.
func (t *ChannelType) logEvent(event string) slog.Leveler {
	if level, ok := t.LogEvents[event]; ok {
		return level
	}
	return t.LogIn
}
