package phx

import (
	"log/slog"
	"strings"
)

// span is services.span for what happens on a channel. Topics that start with
// phoenix are never logged (spec §5.5).
func (ch *Channel) span(level slog.Leveler, usual slog.Level, hooked bool) span {
	if strings.HasPrefix(ch.topic, "phoenix") {
		level = LogOff
	}
	return ch.services().span(level, usual, hooked)
}

// logEvent is the level of the lines on a client message; nil is the usual one.
func (t *ChannelType) logEvent(event string) slog.Leveler {
	if level, ok := t.LogEvents[event]; ok {
		return level
	}
	return t.LogIn
}
