package report_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A rate is of as many intervals as messages, not of those between them.
func TestDeliveriesPerSecond(t *testing.T) {
	for _, test := range []struct {
		name        string
		rate        any     // of each writer, as recorded
		at          []int64 // ms of messages to 1000 clients
		writers     int64
		broadcastMs int64 // to the last receipt
		lastUs      int64
		perSecond   string
		burst       string
	}{
		{"two a second", 2.0, []int64{700, 1200}, 1, 510, 10_000, "2000", "1e+05"},
		{"two writers", 2.0, []int64{700, 800, 1200, 1300}, 2, 610, 10_000, "3636", "1e+05"},
		{"one message", 2.0, []int64{700}, 1, 10, 10_000, "2000", "1e+05"},
		{"one message, no rate", nil, []int64{700}, 1, 10, 10_000, "1e+05", "1e+05"},
		{"rate of old records", nil, []int64{700, 1200, 1700}, 1, 1010, 10_000, "2000", "1e+05"},
		{"slower than asked", 2.0, []int64{700, 1200}, 1, 4000, 3_500_000, "500", "nil"},
		{"just so", 2.0, []int64{700, 1200}, 1, 1000, 500_000, "2000", "2000"},
		{"nothing recorded", 2.0, nil, 1, 0, 0, "nil", "nil"},
	} {
		t.Run(test.name, func(t *testing.T) {
			n := int64(len(test.at))
			records := []record.Record{
				{Run: &record.Run{Schema: 1, Config: map[string]any{"rate": test.rate}}},
				{End: &record.End{Delivered: 1000 * n, BroadcastMs: test.broadcastMs}},
			}
			for i, at := range test.at {
				records = append(records, record.Record{Broadcast: &record.Broadcast{
					Writer: i % int(test.writers), AtMs: at, Delivered: 1000, LastUs: test.lastUs,
				}})
			}
			s := newResult(t, records).Summary
			if show(s.DeliveriesPerSecond) != test.perSecond || show(s.FanOutPerSecond) != test.burst {
				t.Errorf("rate, burst rate = %s, %s, want %s, %s", show(s.DeliveriesPerSecond), show(s.FanOutPerSecond), test.perSecond, test.burst)
			}
		})
	}
}

// The percentiles of a histogram are rounded up, the last receipt is not.
func TestNoPercentileExceedsTheLast(t *testing.T) {
	want := record.Broadcast{P50Us: 70, P99Us: 100, LastUs: 100}
	r := newResult(t, []record.Record{{Broadcast: &record.Broadcast{P50Us: 70, P99Us: 103, LastUs: 100}}})
	if got := r.Broadcasts[0]; got != want {
		t.Errorf("broadcast = %+v, want %+v", got, want)
	}
	read, err := report.ReadJSON(strings.NewReader(strings.Replace(document(t, r), `"p99_us": 100`, `"p99_us": 103`, 1)))
	if err != nil || read.Broadcasts[0] != want {
		t.Errorf("broadcast of JSON = %+v, %v, want %+v", read.Broadcasts[0], err, want)
	}
}
