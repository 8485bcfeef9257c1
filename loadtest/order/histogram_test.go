package order_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

func TestHistogramCrossesThePipe(t *testing.T) {
	h := order.NewHistogram(3)
	if b := order.Encode(h); b != nil {
		t.Errorf("Encode() of nothing = %d bytes, want none", len(b))
	}
	for _, took := range []time.Duration{-time.Second, 5 * time.Millisecond, time.Hour} {
		order.Observe(h, int64(took))
	}
	sum := order.NewHistogram(3)
	for _, part := range [][]byte{order.Encode(h), nil, order.Encode(h)} {
		if err := order.Merge(sum, part); err != nil {
			t.Fatalf("Merge() = %v", err)
		}
	}
	near := func(got, want int64) bool {
		return got <= want && want-got < want/500 || got >= want && got-want < want/500+1
	}
	if n, least, half, most := sum.TotalCount(), sum.Min(), sum.ValueAtPercentile(50), sum.Max(); n != 6 || least != 0 || !near(half, 5000) || !near(most, 600_000_000) {
		t.Errorf("%d values, least %d µs, half %d µs, most %d µs, want 6, 0, 5000 and the bound of 10 minutes", n, least, half, most)
	}
	if order.Merge(sum, []byte("no histogram")) == nil {
		t.Error("Merge() of what is no histogram = nil, want an error")
	}
}
