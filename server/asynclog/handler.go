// Package asynclog makes logging that never waits of any [slog.Handler]: whoever
// logs only puts a record into a bounded queue, and one goroutine, which is there
// only while something waits, hands it on. A handler that blocks, because nobody
// reads the pipe that it writes to, costs lines, and nothing else.
//
// No line is lost in silence: the next one that gets through says how many were
// dropped, and the next one of its kind how many were left out as too frequent.
//
// All of it may be used from any goroutine.
package asynclog

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// Config says how much a Handler takes. The zero value is usable.
type Config struct {
	// QueueMax is how many bytes of records may wait to be written; further ones
	// are dropped and counted. Zero means 1 MiB.
	QueueMax int

	// Rate is how many lines of one kind, which is level and message, are taken in
	// a second, averaged over ten: the work of ten seconds may come at once. More
	// are left out and counted. Zero means 100.
	Rate int
}

// A Handler is a slog.Handler that does not wait for the one it hands records to.
//
// That one is called by one goroutine at a time, apart from Enabled, WithAttrs and
// WithGroup, which are called in place and must not wait. It gets records as they
// were when they were logged, at most: texts are cut to 512 bytes, those of the
// key "stack" to 16 KiB, with "…" at the end, and what is not UTF-8 in them is "?".
// An error is an error with such a text, and a value of any type that is not slog's
// own, a number or json.RawMessage is its text. If it fails or panics, the line
// counts as dropped.
type Handler struct {
	queue *queue       // one for all that come from the same New
	next  slog.Handler // whom records go to
}

// New returns a Handler that hands records to next. Close ends it.
func New(next slog.Handler, cfg Config) *Handler {
	return &Handler{newQueue(next, cmp.Or(cfg.QueueMax, 1<<20), cmp.Or(cfg.Rate, 100)), next}
}

// Wrap returns a logger that does not wait for log's handler, and what closes it.
// If log is such a logger itself, it is returned as it is, and its owner closes it.
func Wrap(log *slog.Logger, cfg Config) (_ *slog.Logger, closeLog func(patience time.Duration) error) {
	if _, ok := log.Handler().(*Handler); ok {
		return log, func(time.Duration) error { return nil }
	}
	h := New(log.Handler(), cfg)
	return slog.New(h), h.Close
}

// Close stops taking records and returns when those that wait are written. If that
// takes longer than patience, it drops them and returns ErrNotWritten. Calls after
// the first do the same. It does not close the handler that records go to.
func (h *Handler) Close(patience time.Duration) error { return h.queue.close(patience) }

// Enabled implements [slog.Handler].
func (h *Handler) Enabled(ctx context.Context, level slog.Level) bool {
	return h.next.Enabled(ctx, level)
}

// WithAttrs implements [slog.Handler].
func (h *Handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	kept, _ := keepAll(attrs)
	return &Handler{h.queue, h.next.WithAttrs(kept)}
}

// WithGroup implements [slog.Handler].
func (h *Handler) WithGroup(name string) slog.Handler {
	if name == "" { // some handlers make a group of it
		return h
	}
	return &Handler{h.queue, h.next.WithGroup(name)}
}

// Handle implements [slog.Handler]. It does not wait, and does not fail: what
// becomes of the record is known later.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if k := h.queue.admit(r.Level, r.Message); k != nil {
		record, size := keep(r)
		h.queue.put(k, entry{context.WithoutCancel(ctx), h.next, record, size, losses{}})
	}
	return nil
}
