// Package asynclog makes any [slog.Handler] log without waiting: a caller only
// puts a record into a bounded queue, and one goroutine, which exists only
// while something waits, passes it on. A handler that blocks, such as one that
// writes to a pipe with no reader, costs lines and nothing else.
//
// No line is lost silently: the next line that gets through gives the number
// dropped, and the next one of its kind the number left out as too frequent.
//
// Everything may be used from any goroutine.
package asynclog

import (
	"cmp"
	"context"
	"log/slog"
	"time"
)

// A Config limits how much a [Handler] accepts. The zero value is usable.
type Config struct {
	// QueueMax is how many bytes of records may wait to be written; further ones
	// are dropped and counted. Zero means 1 MiB.
	QueueMax int

	// Rate is how many lines of one kind (level and message) are accepted in a second,
	// averaged over ten: ten seconds' worth may arrive at once. Further lines are left
	// out and counted. Zero means 100.
	Rate int
}

// A Handler is a [slog.Handler] that passes records to another one without
// waiting for it.
//
// One goroutine at a time calls the other handler, except for Enabled,
// WithAttrs and WithGroup, which are called in place and must not wait. It gets
// records as they were when they were logged, cut to size: texts to 512 bytes
// and texts of the key "stack" to 16 KiB, with "…" at the end, and bytes that
// are not UTF-8 become "?". An error becomes an error with such a text; a value
// of any other type becomes its text, unless the type is one of slog's own, a
// number or json.RawMessage. If the other handler fails or panics, the line
// counts as dropped.
type Handler struct {
	queue *queue       // one for all that come from the same New
	next  slog.Handler // whom records go to
}

// New returns a [Handler] that passes records to next. Close ends it.
func New(next slog.Handler, cfg Config) *Handler {
	return &Handler{newQueue(next, cmp.Or(cfg.QueueMax, 1<<20), cmp.Or(cfg.Rate, 100)), next}
}

// Wrap returns a logger that does not wait for log's handler, and a function
// that closes it. If log is such a logger already, it is returned as it is, and
// its owner closes it.
func Wrap(log *slog.Logger, cfg Config) (_ *slog.Logger, closeLog func(patience time.Duration) error) {
	if _, ok := log.Handler().(*Handler); ok {
		return log, func(time.Duration) error { return nil }
	}
	h := New(log.Handler(), cfg)
	return slog.New(h), h.Close
}

// Close stops accepting records and returns when all waiting records are
// written. If that takes longer than patience, it drops them and returns
// [ErrNotWritten]. Later calls do the same. It does not close the handler that
// gets the records.
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

// Handle implements [slog.Handler]. It does not wait, and does not fail: the
// outcome is known only later.
func (h *Handler) Handle(ctx context.Context, r slog.Record) error {
	if k := h.queue.admit(r.Level, r.Message); k != nil {
		record, size := keep(r)
		h.queue.put(k, entry{context.WithoutCancel(ctx), h.next, record, size, losses{}})
	}
	return nil
}
