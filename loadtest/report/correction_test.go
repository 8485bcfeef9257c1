package report_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// shifted compares n runs with n others by five percentiles of the latency: 0
// leaves the others among the first, 1 sets them above all of them, -1 below.
func shifted(t *testing.T, n int, p50, p90, p99, p999, longest int) *report.Comparison {
	t.Helper()
	a, b := report.Side{Name: "a"}, report.Side{Name: "b"}
	for i := range n {
		v := float64(200 + i)
		at := func(shift int) float64 {
			if shift == 0 {
				return float64(200 + (i+1)%n) // the same values in another order
			}
			return v + float64(100*shift)
		}
		a.Runs = append(a.Runs, of(report.Percentiles{P50: v, P90: v, P99: v, P999: v, Max: v}))
		b.Runs = append(b.Runs, of(report.Percentiles{P50: at(p50), P90: at(p90), P99: at(p99), P999: at(p999), Max: at(longest)}))
	}
	return compared(t, 0, a, b)
}

func of(p report.Percentiles) *report.Result {
	return &report.Result{Summary: report.Summary{LatencyMs: &p}}
}

func TestCorrection(t *testing.T) {
	for _, test := range []struct {
		name string
		c    *report.Comparison
		q    string // of p50, p90, p99, p99.9 and max
		firm int
		bad  bool
	}{
		// P is 0.1 at best: one of five is no more than chance would make.
		{"three runs, one worse", shifted(t, 3, 1, 0, 0, 0, 0), "0.5 1 1 1 1", 0, false},
		{"three runs, all worse", shifted(t, 3, 1, 1, 1, 1, 1), "0.1 0.1 0.1 0.1 0.1", 5, true},
		{"three runs, all better", shifted(t, 3, -1, -1, -1, -1, -1), "0.1 0.1 0.1 0.1 0.1", 5, false},
		// P is 2 of 70, Q that times 5 of 1 or of 2.
		{"four runs, one worse", shifted(t, 4, 0, 1, 0, 0, 0), "1 0.1429 1 1 1", 0, false},
		{"four runs, two worse", shifted(t, 4, 0, 1, 0, 1, 0), "1 0.07143 1 0.07143 1", 2, true},
		{"five runs, one worse", shifted(t, 5, 0, 0, 0, 0, 1), "1 1 1 1 0.03968", 1, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			var qs []string
			firm := 0
			for _, l := range test.c.Lines {
				qs = append(qs, show(l.Cells[1].Q))
				if test.c.Firm(l.Cells[1]) {
					firm++
				}
			}
			if got := strings.Join(qs, " "); got != test.q || firm != test.firm || test.c.AnyWorse() != test.bad {
				t.Errorf("Q = %s, %d firm, worse %v, want %s, %d, %v", got, firm, test.c.AnyWorse(), test.q, test.firm, test.bad)
			}
		})
	}
}

// Figures that no run changes, such as no losses at all, are no chance to be
// wrong, so they must not weigh on the others.
func TestCorrectionPassesOverWhatIsTheSame(t *testing.T) {
	c := compared(t, 0, rounds(t, "a", 1, 2, 3), rounds(t, "b", 7, 8, 9))
	if got := cell(t, c, "memory", "server"); show(got.Q) != "0.1" || !c.Firm(got) {
		t.Errorf("Q = %s, want 0.1", show(got.Q))
	}
	if got := cell(t, c, "faults", "lost"); got.Q != nil || show(got.P) != "1" {
		t.Errorf("Q of no losses = %s, P %s, want none and 1", show(got.Q), show(got.P))
	}
}

func TestComparisonSaysHowFarToTrust(t *testing.T) {
	at := func(name string, hours ...int) report.Side {
		s := report.Side{Name: name}
		for i, hour := range hours {
			server := float64(100*hour + i)
			s.Runs = append(s.Runs, &report.Result{
				Summary: report.Summary{ServerBytesPerClient: &server},
				Run:     &record.Run{Start: fmt.Sprintf("2026-03-14T%02d:00:00Z", hour)},
			})
		}
		return s
	}
	apart := "Not alternating with old: new."
	for _, test := range []struct {
		name    string
		c       *report.Comparison
		want    []string
		without string
	}{
		{"by turns", compared(t, 0, at("old", 1, 3, 5), at("new", 2, 4, 6)),
			[]string{"With 3 runs a side, p cannot fall below 0.1,", "0 of 1, each by its own p; chance alone would produce up to 0.1."}, "survive"},
		{"one after the other", compared(t, 0, at("old", 1, 2, 3), at("new", 4, 5, 6)), []string{"1 of 1, each", apart}, ""},
		{"before", compared(t, 0, at("old", 4, 5, 6, 7), at("new", 0, 1, 2, 3)), []string{"With 4 runs a side, p cannot fall below 0.029,", apart}, ""},
		{"without dates", compared(t, 0, ofMemory("old", 1, 2, 3), ofMemory("new", 4, 5, 6)), []string{"marked *"}, apart},
		{"too few", compared(t, 0, at("old", 1, 3), at("new", 2, 4)), []string{"A verdict needs 3 runs a side, made alternately."}, "marked *"},
		{"too few for alpha", compared(t, 0.01, at("old", 1, 3, 5), at("new", 2, 4, 6)), []string{"A verdict needs 5 runs a side, made alternately."}, "marked *"},
		{"many", shifted(t, 3, 1, 0, 0, 0, 0), []string{"1 of 5, each by its own p; chance alone would produce up to 0.5.", "after correction for their number: 0, marked *", "With 3 runs a side nothing can survive the correction unless nearly every figure differs; use 5 or more."}, apart},
		{"many, and all hold", shifted(t, 3, 1, 1, 1, 1, 1), []string{"after correction for their number: 5, marked *"}, "survive"},
		{"replies beside receipts", compared(t, 0, report.Side{Name: "a", Runs: []*report.Result{played(t, pinged(t), record.End{})}}, rounds(t, "b", 1)),
			[]string{"Latencies are left out: the latency of an echo reply"}, "Latency p50"},
		{"replies beside replies", compared(t, 0, report.Side{Name: "a", Runs: []*report.Result{played(t, pinged(t), record.End{})}}, report.Side{Name: "b", Runs: []*report.Result{played(t, pinged(t), record.End{})}}),
			[]string{"Latency p50"}, "left out"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if err := test.c.WriteText(&out); err != nil {
				t.Fatal(err)
			}
			said := strings.Join(strings.Fields(out.String()), " ") // whatever the lines
			if i := slices.IndexFunc(test.want, func(want string) bool { return !strings.Contains(said, want) }); i >= 0 {
				t.Errorf("text = %s\nwant in it %q", out.String(), test.want[i])
			}
			if test.without != "" && strings.Contains(said, test.without) {
				t.Errorf("text = %s\nwant no %q in it", out.String(), test.without)
			}
		})
	}
}
