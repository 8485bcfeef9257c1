package frame

import (
	"cmp"
	"compress/flate"
	"fmt"
	"slices"
	"sync"

	"github.com/gobwas/ws"
)

// flushTail ends what flate.Writer.Flush writes; RFC 7692 §7.2.1 takes it off.
const flushTail = "\x00\x00\xff\xff"

// A Deflater compresses messages, each on its own (no context takeover), so
// that one compressed frame serves every receiver of a broadcast. The zero
// value is ready. It is safe for concurrent use and must not be copied.
//
// Its window is the full 32 KiB: a handshake that uses it must decline a
// server_max_window_bits below 15.
type Deflater struct {
	// Level is one of compress/flate, but zero means flate.BestSpeed. It must
	// not change after the first Append.
	Level int

	// writers holds *deflateWriter: up to 1.2 MB each, too much to make one for
	// every message or to have one for every connection.
	writers sync.Pool
}

// Append appends the message to dst as one compressed frame without a mask. The
// op must be ws.OpText or ws.OpBinary. The only error is a Level unknown to
// compress/flate; then dst is returned unchanged.
func (z *Deflater) Append(dst []byte, op ws.OpCode, payload []byte) ([]byte, error) {
	w, err := z.writer()
	if err != nil {
		return dst, fmt.Errorf("deflate %d bytes: %w", len(payload), err)
	}
	start := len(dst)
	body := start + MaxHeader
	out, err := w.compress(slices.Grow(dst, MaxHeader)[:body], payload)
	z.writers.Put(w)
	if err != nil {
		return dst, fmt.Errorf("deflate %d bytes: %w", len(payload), err)
	}
	out = out[:len(out)-len(flushTail)]
	// The header could only be sized now; close the gap behind it.
	size := PutHeader(out[start:], op, len(out)-body)
	out[start] |= rsv1Bit
	return slices.Delete(out, start+size, body), nil
}

func (z *Deflater) writer() (*deflateWriter, error) {
	if w, ok := z.writers.Get().(*deflateWriter); ok {
		return w, nil
	}
	f, err := flate.NewWriter(nil, cmp.Or(z.Level, flate.BestSpeed))
	return &deflateWriter{flate: f}, err
}

// A deflateWriter is a flate.Writer that appends to a slice.
type deflateWriter struct {
	flate *flate.Writer
	out   []byte
}

// compress appends payload and a flush to dst.
func (w *deflateWriter) compress(dst, payload []byte) ([]byte, error) {
	w.out = dst
	defer func() { w.out = nil }() // the pool must not hold the caller's memory
	w.flate.Reset(w)
	if _, err := w.flate.Write(payload); err != nil {
		return nil, err
	}
	err := w.flate.Flush()
	return w.out, err
}

func (w *deflateWriter) Write(b []byte) (int, error) {
	w.out = append(w.out, b...)
	return len(b), nil
}
