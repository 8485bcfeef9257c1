package report

import (
	"math"
	"strconv"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// percentileChart shows the tail: each step to the right is a tenth of the
// receipts of the step before.
func (r *Result) percentileChart() chart {
	of := map[string]string{"reply": "replies", "receipt": "receipts"}[r.Summary.arrival()]
	c := chart{ID: "percentiles", Title: "Latency by percentile", About: "Latency within which the given share of " + of + " arrived."}
	if r.latency == nil {
		return c
	}
	xs := telling(r.latency)
	if r.Summary.closedLoop() {
		return c.percentiles("latency, ms", xs, []series{{"from the send", "blue", quantiles(r.latency, xs), false}})
	}
	return c.percentiles("latency, ms", xs, []series{
		{"from the intended send", "blue", quantiles(r.latency, xs), false},
		{"from the actual send", "orange dashed", quantiles(r.raw, xs), false},
	})
}

// wayBackChart shows how the clients that were cut off came back.
func (r *Result) wayBackChart() chart {
	c := chart{ID: "back", Title: "Reconnect time", About: "Time from the end of their server within which the given share of the reconnected clients had joined again."}
	xs := telling(r.wayBack)
	return c.percentiles("time, ms", xs, []series{{"reconnected", "blue", quantiles(r.wayBack, xs), false}})
}

// A CurvePoint says that so many percent of the receipts took at most Ms
// milliseconds.
type CurvePoint struct {
	Percent float64 `json:"percent"`
	Ms      float64 `json:"ms"`
}

// telling are the percentiles that h can tell.
func telling(h *hdrhistogram.Histogram) (percents []float64) {
	if h == nil {
		return nil
	}
	for _, p := range []float64{50, 75, 90, 95, 98, 99, 99.5, 99.8, 99.9, 99.95, 99.98, 99.99, 99.999} {
		if float64(h.TotalCount())*(100-p)/100 < 10-1e-6 { // 99.9 % of 10,000 leave ten, if for a rounding error
			break // under ten receipts are that slow: chance, not a figure
		}
		percents = append(percents, p)
	}
	return percents
}

// percentiles draws lines over ascending percents, up to what y names. Fewer
// than two percents are no line.
func (c chart) percentiles(yLabel string, percents []float64, lines []series) chart {
	if len(percents) < 2 {
		return c
	}
	var ticks []float64
	for _, p := range []float64{50, 90, 99, 99.9, 99.99, 99.999} {
		if p >= percents[0] && p <= percents[len(percents)-1] {
			ticks = append(ticks, p)
		}
	}
	label := func(p float64) string { return strconv.FormatFloat(p, 'f', -1, 64) }
	names := make(map[float64]string, len(percents)) // by place on the axis
	place := func(percents []float64) []float64 {
		at := make([]float64, len(percents))
		for i, p := range percents {
			at[i] = nines(p)
			names[at[i]] = label(p)
		}
		return at
	}
	xs := place(percents)
	x := axis{
		scale: scale{min: xs[0], max: xs[len(xs)-1], ticks: place(ticks)},
		label: "percentile",
		tick:  func(at float64) string { return names[at] },
		cell:  func(at float64) string { return "p" + names[at] },
	}
	y := axis{label: yLabel, tick: plain, cell: milliseconds}
	least, most := bounds(lines...)
	if y.scale = fromZero(most, 4); least > 0 && most/least > 30 {
		y.scale = logarithmic(least, most)
		y.label += ", logarithmic"
	}
	c.plot(x, y, xs, lines)
	return c
}

// nines is 1 for 90, 2 for 99, 3 for 99.9.
func nines(percent float64) float64 { return -math.Log10(1 - percent/100) }

// quantiles are in milliseconds.
func quantiles(h *hdrhistogram.Histogram, percents []float64) []float64 {
	values := make([]float64, len(percents))
	for i, p := range percents {
		values[i] = math.NaN()
		if h != nil {
			values[i] = float64(h.ValueAtPercentile(p)) / 1000
		}
	}
	return values
}
