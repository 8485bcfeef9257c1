package report

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// WriteHDRLog writes the latencies as an HdrHistogram log, which
// HistogramLogProcessor, HistogramLogAnalyzer and the plotter of
// hdrhistogram.github.io read. It has up to four histograms, told apart by
// their tags, each over its own stretch of the run:
//
//	no tag    from the intended send to the receipt, in echo to the reply
//	Tag=sent  the same from the actual send
//	Tag=join  from connect to the join reply
//	Tag=back  from the end of a server to the join reply of who was at it
//
// The first has no tag because tools pass over tags that they are not told of.
// Values are microseconds, so tools that expect nanoseconds need to be told:
// -outputValueUnitRatio 1000 shows milliseconds. Interval_Max is in
// milliseconds already, as is usual. Times are seconds since the start of the
// run. A histogram that was not measured is left out.
func (r *Result) WriteHDRLog(w io.Writer) error {
	var b strings.Builder
	log := hdrhistogram.NewHistogramLogWriter(&b) // a Builder never fails, nor do its comments
	_ = log.OutputLogFormatVersion()
	_ = log.OutputComment("[Values are in microseconds: -outputValueUnitRatio 1000 shows milliseconds]")
	_ = log.OutputComment("[Interval_Max is in milliseconds]")
	if start, ok := r.start(); ok {
		_ = log.OutputStartTime(start.UnixMilli())
	}
	_ = log.OutputLegend()
	for _, h := range r.intervals() {
		// Not by the log writer: it takes every histogram for one of nanoseconds.
		fmt.Fprintf(&b, "%s%.3f,%.3f,%.3f,%s\n", h.tag, thousandth(h.fromMs), thousandth(h.lengthMs), thousandth(h.max), h.encoded)
	}
	if _, err := io.WriteString(w, b.String()); err != nil {
		return fmt.Errorf("write HDR log: %w", err)
	}
	return nil
}

// An interval is a histogram with its stretch of the run.
type interval struct {
	tag              string // with the comma after it; "" for none
	fromMs, lengthMs int64
	max              int64 // microseconds
	encoded          []byte
}

func (r *Result) intervals() []interval {
	sends, end, back := r.sends(), cmp.Or(r.end, new(record.End)), cmp.Or(r.activity(storm, kill), new(record.Activity))
	empty, _ := r.memory("empty") // the clients connect after it
	var all []interval
	for _, h := range []struct {
		interval
		from *hdrhistogram.Histogram
	}{
		{interval{"", sends.fromMs, sends.lengthMs, 0, sends.latency}, r.latency},
		{interval{"Tag=sent,", sends.fromMs, sends.lengthMs, 0, sends.raw}, r.raw},
		{interval{"Tag=join,", empty.AtMs, end.ConnectMs, 0, end.JoinLatency}, r.joinLatency},
		{interval{"Tag=back,", back.AtMs, slowest(r.wayBack) / 1000, 0, back.Latency}, r.wayBack},
	} {
		if h.from != nil {
			h.max = h.from.Max()
			all = append(all, h.interval)
		}
	}
	return all
}

// slowest is in microseconds.
func slowest(h *hdrhistogram.Histogram) int64 {
	if h == nil {
		return 0
	}
	return h.Max()
}

func thousandth(n int64) float64 { return float64(n) / 1000 }

// start is when the run began, if the records tell.
func (r *Result) start() (start time.Time, ok bool) {
	if r.Run == nil {
		return start, false
	}
	start, err := time.Parse(time.RFC3339, r.Run.Start)
	return start, err == nil
}
