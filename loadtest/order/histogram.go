package order

import "github.com/HdrHistogram/hdrhistogram-go"

// maxLatency bounds what histograms tell apart, in microseconds: 10 minutes.
const maxLatency = 600_000_000

// NewHistogram counts microseconds with so many significant digits.
func NewHistogram(digits int) *hdrhistogram.Histogram {
	return hdrhistogram.New(1, maxLatency, digits)
}

// Observe records a duration in nanoseconds.
func Observe(h *hdrhistogram.Histogram, ns int64) {
	_ = h.RecordValue(min(max(ns/1000, 0), maxLatency)) // it fails only beyond maxLatency
}

// ObserveMany observes a duration so many times.
func ObserveMany(h *hdrhistogram.Histogram, ns, times int64) {
	_ = h.RecordValues(min(max(ns/1000, 0), maxLatency), times) // as in Observe
}

// Encode returns nil for a histogram of nothing.
func Encode(h *hdrhistogram.Histogram) []byte {
	if h.TotalCount() == 0 {
		return nil
	}
	b, err := h.EncodeV2()
	if err != nil {
		return nil // EncodeV2 writes to memory: there is no error
	}
	return b
}

// Merge adds what encode returned to h.
func Merge(h *hdrhistogram.Histogram, encoded []byte) error {
	if len(encoded) == 0 {
		return nil
	}
	more, err := hdrhistogram.Decode(encoded)
	if err != nil {
		return err
	}
	h.Merge(more)
	return nil
}
