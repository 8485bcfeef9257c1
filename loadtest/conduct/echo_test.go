package conduct_test

import (
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
)

// A process that is late with its pings sends them all at once. What they waited
// for it counts as latency, and the raw one beside it is without.
func TestPingsCountFromTheIntendedSend(t *testing.T) {
	t.Parallel()
	const late = time.Minute
	s := serve(t, (&fake{}).start(t), order.Orders{})
	s.tell(order.Command{Echo: &order.Echo{Pace: order.Pacer{Start: order.Now() - int64(late), Interval: int64(100 * time.Millisecond)}, Size: 128}})
	s.counted(func(c order.Counts) bool { return c.Replies >= 200 })
	h := s.halt()
	latency, raw := decode(t, h.Latency), decode(t, h.Raw)
	if got := time.Duration(latency.Max()) * time.Microsecond; got < late {
		t.Errorf("latency of the first ping %v, want at least %v: so late was it sent", got, late)
	}
	if got := time.Duration(raw.Max()) * time.Microsecond; got >= late {
		t.Errorf("raw latency up to %v, want less than %v: it counts from the actual send", got, late)
	}
	if latency.TotalCount() != raw.TotalCount() || latency.TotalCount() < 200 {
		t.Errorf("%d latencies and %d raw ones, want as many, and at least 200", latency.TotalCount(), raw.TotalCount())
	}
}

func decode(t *testing.T, encoded []byte) *hdrhistogram.Histogram {
	t.Helper()
	h, err := hdrhistogram.Decode(encoded)
	if err != nil {
		t.Fatal(err)
	}
	return h
}
