package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// ofUs is a histogram of so many values of each, in microseconds.
func ofUs(t *testing.T, times int64, us ...int64) *hdrhistogram.Histogram {
	t.Helper()
	h := hdrhistogram.New(1, 600_000_000, 3)
	for _, v := range us {
		if err := h.RecordValues(v, times); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// A percentile is told only if ten values or more are above it: less is chance.
func TestTelling(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		values int64
		most   float64 // 0 for none
	}{
		{1, 0}, {19, 0}, {20, 50}, {39, 50}, {40, 75}, {100, 90}, {999, 98}, {1000, 99}, {10_000, 99.9}, {99_999, 99.98}, {100_000, 99.99}, {1_000_000, 99.999}, {50_000_000, 99.999},
	} {
		percents := telling(ofUs(t, test.values, 1000))
		most := 0.0
		if len(percents) > 0 {
			most = percents[len(percents)-1]
		}
		if most != test.most {
			t.Errorf("%d values tell up to p%v, want p%v", test.values, most, test.most)
		}
	}
	if got := telling(nil); got != nil {
		t.Errorf("no histogram tells %v", got)
	}
}

func TestPercentilesOfAHistogram(t *testing.T) {
	t.Parallel()
	h := hdrhistogram.New(1, 600_000_000, 3)
	for us := range int64(1000) {
		if err := h.RecordValue(us + 1); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := percentiles(h), (Percentiles{0.5, 0.9, 0.99, 0.999, 1}); got == nil || *got != want {
		t.Errorf("percentiles %+v, want %+v in milliseconds", got, want)
	}
	if percentiles(nil) != nil {
		t.Error("percentiles of nothing are not nil")
	}
	if got := quantiles(nil, []float64{50, 99}); !slices.EqualFunc(got, []float64{none, none}, same) {
		t.Errorf("quantiles of nothing %v, want gaps", got)
	}
}

// Each further nine of a percentile is one step to the right.
func TestPercentileChart(t *testing.T) {
	t.Parallel()
	if a, b, c := nines(90), nines(99), nines(99.9); math.Abs(a-1) > 1e-9 || math.Abs(b-2) > 1e-9 || math.Abs(c-3) > 1e-9 {
		t.Errorf("90, 99 and 99.9 are at %v, %v and %v, want 1, 2 and 3", a, b, c)
	}
	percents := []float64{50, 90, 99}
	for _, test := range []struct {
		name  string
		ms    []float64
		label string
		ticks string
	}{
		{"near each other", []float64{1, 2, 30}, "latency, ms", "0 10 20 30"},
		{"thirty times is still linear", []float64{1, 2, 30}, "latency, ms", "0 10 20 30"},
		{"far apart", []float64{1, 2, 31}, "latency, ms, logarithmic", "1 2 5 10 20 50"},
		{"from nothing", []float64{0, 2, 300}, "latency, ms", "0 100 200 300"},
		{"not measured", []float64{none, none, none}, "latency, ms", "0 0.5 1"},
	} {
		c := chart{}.percentiles("latency, ms", percents, []series{{"a", "blue", test.ms, false}})
		var ticks []string
		for _, m := range c.YTicks {
			ticks = append(ticks, m.Label)
		}
		if got := strings.Join(ticks, " "); c.Y != test.label || got != test.ticks {
			t.Errorf("%s: axis %q with %s, want %q with %s", test.name, c.Y, got, test.label, test.ticks)
		}
		if got, want := fmt.Sprint(c.XTicks), "[{0.00 50} {41.14 90} {100.00 99}]"; got != want {
			t.Errorf("%s: marks of x %s, want %s", test.name, got, want)
		}
	}
	two := chart{}.percentiles("latency, ms", []float64{50, 75}, []series{{"a", "blue", []float64{1, 2}, false}})
	wantRows(t, two, []string{"p50|1.00 ms", "p75|2.00 ms"})
	if len(two.XTicks) != 1 {
		t.Errorf("marks of x %v, want that of p50 alone", two.XTicks)
	}
	for _, percents := range [][]float64{nil, {50}} {
		if c := (chart{}).percentiles("", percents, []series{{values: make([]float64, len(percents))}}); len(c.Rows) > 0 {
			t.Errorf("a chart of %d percentiles has %d rows: that is no line", len(percents), len(c.Rows))
		}
	}
}

// An open loop has a line from the intended send and one from the actual; a closed one
// has one. The chart says of what they are.
func TestPercentileChartOfARun(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		s       Summary
		columns string
		about   string
	}{
		{"broadcasts", Summary{Scenario: "chat"}, "from the intended send, from the actual send", "receipts"},
		{"pings", Summary{Scenario: "echo", Echo: &Echo{}}, "from the intended send, from the actual send", "replies"},
		{"a closed loop", Summary{Scenario: "echo", Echo: &Echo{ClosedLoop: true}}, "from the send", "replies"},
		{"users when they are free", Summary{Scenario: "app", ClosedLoop: true}, "from the send", "receipts"},
	} {
		r := &Result{Summary: test.s, latency: ofUs(t, 100, 3000), raw: ofUs(t, 100, 2000)}
		c := r.percentileChart()
		if got := strings.Join(c.Columns[1:], ", "); got != test.columns || !strings.Contains(c.About, "share of "+test.about+" arrived") {
			t.Errorf("%s: columns %q about %q, want %q about %s", test.name, got, c.About, test.columns, test.about)
		}
		if cells := c.Rows[0].Cells; cells[1] != "3.00 ms" || len(cells) > 2 && cells[2] != "2.00 ms" {
			t.Errorf("%s: first row %q, want 3 ms from the intended send and 2 ms from the actual", test.name, cells)
		}
	}
	if c := (&Result{}).percentileChart(); len(c.Rows) > 0 {
		t.Errorf("a run without latencies has %d rows", len(c.Rows))
	}
}

// Who never came back is in no histogram, but in the share that is back.
func TestUntilAShareIsBack(t *testing.T) {
	t.Parallel()
	h := hdrhistogram.New(1, 600_000_000, 3)
	for ms := range int64(100) {
		if err := h.RecordValue((ms + 1) * 1000); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name    string
		percent float64
		all     int64
		want    float64 // milliseconds, rounded; -1 for never
	}{
		{"half of all", 50, 100, 50},
		{"half of twice as many", 50, 200, 100},
		{"a little more than half of those", 50.5, 200, -1},
		{"all", 100, 100, 100},
		{"all but one", 100, 101, -1},
		{"more than there were, by a wrong count", 50, 10, 50},
	} {
		got := -1.0
		if ms := untilBack(h, test.percent, test.all); ms != nil {
			got = math.Round(*ms)
		}
		if got != test.want {
			t.Errorf("%s: %v ms, want %v", test.name, got, test.want)
		}
	}
	if untilBack(nil, 50, 100) != nil {
		t.Error("there is a time without a histogram")
	}
}
