package report_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A run that loses nothing and keeps up with nothing is not OK: the latencies of
// a queue that grows tell how long the run was.
func TestQueueThatGrows(t *testing.T) {
	t.Parallel()
	const broadcasts = 60
	for _, test := range []struct {
		name string
		ms   func(n int) float64 // median latency of broadcast n
		ends float64             // the queue's last; 0 for none
	}{
		{"steady", func(int) float64 { return 40 }, 0},
		{"slow and steady", func(n int) float64 { return 3000 + 200*float64(n%7) }, 0},
		{"served half as fast as sent", func(n int) float64 { return 20 + 50*float64(n) }, 20 + 50*54.5},
		{"the same, with every fifth message at once", func(n int) float64 {
			if n%5 == 0 {
				return 1
			}
			return 20 + 50*float64(n)
		}, 20 + 50*54},
		{"a stall that is over", func(n int) float64 { return 20 + 2000*math.Exp(-math.Abs(float64(n-30))/4) }, 0},
		{"a stall at the end", func(n int) float64 {
			if n > 55 {
				return 3000
			}
			return 20 + float64(n%3)
		}, 0},
		{"warmer, within what a user would not see", func(n int) float64 { return 20 + float64(n) }, 0},
		{"it gets better", func(n int) float64 { return 4000 - 50*float64(n) }, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			records := without(fixture(t), func(r record.Record) bool { return r.Broadcast != nil })
			for n := range broadcasts {
				us := int64(1000 * test.ms(n))
				records = append(records, record.Record{Broadcast: &record.Broadcast{
					Seq: int64(n + 1), AtMs: int64(1000 + 100*n), Expected: 10, Delivered: 10, P50Us: us, P99Us: us, LastUs: us,
				}})
			}
			r := newResult(t, records)
			ok, reasons := report.Verdict(r.Summary)
			found := strings.Contains(strings.Join(reasons, "\n"), "a queue grew")
			switch q := r.Summary.Queue; {
			case test.ends == 0 && (q != nil || found || !ok):
				t.Errorf("queue %v, verdict %v %q, want none and OK", q, ok, reasons)
			case test.ends > 0 && (q == nil || !found || ok):
				t.Errorf("queue %v, verdict %v %q, want one that fails the run", q, ok, reasons)
			case test.ends > 0 && math.Abs(q.ToMs-test.ends) > 60:
				t.Errorf("the queue ends at %v ms, want about %v", q.ToMs, test.ends)
			}
		})
	}
}

// An open loop of pings has a queue, too; a closed one has none, however long its
// answers take.
func TestQueueOfPings(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		var records []record.Record
		for n := range int64(30) {
			records = append(records, record.Record{Tick: &record.Tick{AtMs: 1000 * n, Phase: "echo", P50Us: 100_000 * n, P99Us: 200_000 * n}})
		}
		records = append(records, record.Record{Activity: &record.Activity{Name: "echo", Ms: 30_000, Count: 100, ClosedLoop: closed}})
		if got := newResult(t, records).Summary.Queue != nil; got == closed {
			t.Errorf("closed loop %v: a queue that grows %v, want %v", closed, got, !closed)
		}
	}
}

// A closed loop has one latency, and says what it cannot see.
func TestClosedLoopHasOneLatency(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		records := []record.Record{
			{Activity: &record.Activity{Name: "echo", Ms: 1000, Count: 100, ClosedLoop: closed, Latency: histogram(t, slices.Repeat([]int64{900}, 2000)...), RawLatency: histogram(t, slices.Repeat([]int64{500}, 2000)...)}},
			{End: &record.End{Clients: 1, Joined: 1}},
		}
		r := newResult(t, records)
		var text, page strings.Builder
		if r.WriteText(&text) != nil || r.WriteHTML(&page) != nil {
			t.Fatal("cannot write the report")
		}
		for _, shown := range []struct {
			what, in string
			want     bool
		}{
			{"intended send", text.String(), !closed},
			{"send to reply", text.String(), closed},
			{"coordinated omission", strings.Join(strings.Fields(text.String()), " "), closed},
			{"coordinated omission", page.String(), closed},
			{"from the actual send", page.String(), !closed},
		} {
			if got := strings.Contains(shown.in, shown.what); got != shown.want {
				t.Errorf("closed loop %v: %q in the report %v, want %v", closed, shown.what, got, shown.want)
			}
		}
		if p := r.Summary.LatencyMs; p == nil || closed != (p.Max < 0.6) || closed != (r.Summary.RawLatencyMs == nil) {
			t.Errorf("closed loop %v: latency %v, from the actual send %v, want the one that was measured", closed, p, r.Summary.RawLatencyMs)
		}
	}
}
