package report_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/report"
)

// A reader of the format that is not ours finds all receipts and all joins.
func TestHDRLogIsReadByOthers(t *testing.T) {
	r := newResult(t, fixture(t))
	var out bytes.Buffer
	if err := r.WriteHDRLog(&out); err != nil {
		t.Fatal(err)
	}
	log := hdrhistogram.NewHistogramLogReader(&out)
	for _, want := range []struct {
		tag   string
		count int64
		of    *report.Percentiles
	}{
		{"", 200_000, r.Summary.LatencyMs},
		{"sent", 200_000, r.Summary.RawLatencyMs},
		{"join", 10_000, r.Summary.JoinLatencyMs},
	} {
		h, err := log.NextIntervalHistogram()
		if err != nil || h == nil {
			t.Fatalf("NextIntervalHistogram = %v, %v, want that of %q", h, err, want.tag)
		}
		p99 := float64(h.ValueAtPercentile(99)) / 1000
		if h.Tag() != want.tag || h.TotalCount() != want.count || p99 != want.of.P99 {
			t.Errorf("histogram %q: %d values, p99 %v ms, want %q, %d, %v", h.Tag(), h.TotalCount(), p99, want.tag, want.count, want.of.P99)
		}
	}
	if h, err := log.NextIntervalHistogram(); h != nil || err != nil {
		t.Errorf("NextIntervalHistogram = %v, %v, want no more", h, err)
	}
}

func TestHDRLogText(t *testing.T) {
	var out strings.Builder
	if err := newResult(t, fixture(t)).WriteHDRLog(&out); err != nil {
		t.Fatal(err)
	}
	want := regexp.MustCompile(`^#\[Histogram log format version 1\.3\]
#\[Values are in microseconds: -outputValueUnitRatio 1000 shows milliseconds\]
#\[Interval_Max is in milliseconds\]
#\[StartTime: 1773480413 \(seconds since epoch\), 2026-03-14T09:26:53Z\]
"StartTimestamp","Interval_Length","Interval_Max","Interval_Compressed_Histogram"
\d+\.\d{3},19\.027,47\.\d{3},HISTF[A-Za-z0-9+/=]+
Tag=sent,\d+\.\d{3},19\.027,47\.\d{3},HISTF[A-Za-z0-9+/=]+
Tag=join,0\.040,4\.097,3\.\d{3},HISTF[A-Za-z0-9+/=]+
$`)
	if !want.MatchString(out.String()) {
		t.Errorf("WriteHDRLog = %.700q\nwant it to match %s", out.String(), want)
	}
}

// What was not measured has no line; a run without an end still has a log.
func TestHDRLogOfLittle(t *testing.T) {
	noJoins := fixture(t)
	end(t, noJoins).JoinLatency = emptyHistogram(t)
	for _, test := range []struct {
		name  string
		r     *report.Result
		lines int
	}{
		{"no joins", newResult(t, noJoins), 2},
		{"died early", newResult(t, fixture(t)[:12]), 0},
		{"no records", newResult(t, nil), 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			var out strings.Builder
			if err := test.r.WriteHDRLog(&out); err != nil {
				t.Fatal(err)
			}
			if got := strings.Count(out.String(), ",HISTF"); got != test.lines || !strings.Contains(out.String(), "format version") {
				t.Errorf("WriteHDRLog = %.300q with %d histograms, want a head and %d", out.String(), got, test.lines)
			}
		})
	}
}
