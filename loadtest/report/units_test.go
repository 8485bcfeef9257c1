package report_test

import (
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
)

func TestUnits(t *testing.T) {
	for _, test := range []struct{ got, want string }{
		{report.Count(0), "0"},
		{report.Count(999), "999"},
		{report.Count(-1234567), "-1,234,567"},
		{report.Size(0), "0 B"},
		{report.Size(240), "240 B"},
		{report.Size(999.6), "1.00 KB"},
		{report.Size(-1597.44), "-1.60 KB"},
		{report.Size(25e9), "25.0 GB"},
		{report.Size(4e15), "4,000 TB"},
		{report.Rate(2440.8), "2.44 k/s"},
		{report.Duration(0.042), "0.042 µs"},
		{report.Duration(843), "843 µs"},
		{report.Duration(9_996), "10.0 ms"},
		{report.Duration(1.5e6), "1.50 s"},
		{report.Percent(10, 10), "100%"},
		{report.Percent(999_999_999, 1_000_000_000), "99.9999%"},
		{report.Percent(1, 2), "50%"},
		{report.Percent(11, 10), "110%"},
		{report.Compact(0.05), "0.05"},
		{report.Compact(12_000), "12k"},
		{report.Compact(2.5e6), "2.5M"},
		{report.ShellQuote([]string{"a-b", "", "it's", "$x"}), `a-b '' 'it'\''s' '$x'`},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

func TestTicks(t *testing.T) {
	for _, test := range []struct {
		name      string
		got, want []float64
	}{
		{"round", report.LinearTicks(10_000, 4), []float64{0, 5000, 10_000}},
		{"between", report.LinearTicks(47.6, 4), []float64{0, 20, 40, 60}},
		{"small", report.LinearTicks(0.4, 4), []float64{0, 0.1, 0.2, 0.30000000000000004, 0.4}},
		{"nothing", report.LinearTicks(0, 4), []float64{0, 0.5, 1}},
		{"two decades", report.LogarithmicTicks(0.3, 12), []float64{0.2, 0.5, 1, 2, 5, 10, 20}},
		{"six decades", report.LogarithmicTicks(0.01, 900), []float64{0.01, 0.1, 1, 10, 100, 1000}},
	} {
		if !slices.EqualFunc(test.got, test.want, near) {
			t.Errorf("%s: ticks = %v, want %v", test.name, test.got, test.want)
		}
	}
}

func near(a, b float64) bool { return a == b || (a-b)*(a-b) < 1e-12*b*b }
