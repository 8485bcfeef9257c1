package cli

import (
	"cmp"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/report"
)

// thresholdNames is for -help.
const thresholdNames = "of times p50, p90, p99, p99.9, max, join (its p99), back50, back99 and back100 (percent of those cut off), " +
	"cpu (of the server, per delivery), cpu-join, cpu-reply, cpu-heartbeat; a second joins, rate (deliveries), replies; " +
	"bytes per client server, client, kernel; counts lost, duplicated, reordered, late, retries, errors; generator, which is ok or suspect (generator=ok); " +
	"and of a step of a scenario file, by its name, p50 to max, ok and errors (join.p99<1s,send.errors=0)"

// A threshold is the value that a figure must be below, above or equal to.
type threshold struct {
	text   string
	figure quantity
	op     byte    // '<', '>' or '='
	limit  float64 // in the unit of the figure
}

// thresholds are a flag: 'p99<500ms,joins>10000,lost=0'.
type thresholds []threshold

func (ts *thresholds) String() string {
	var list []string
	for _, t := range *ts {
		list = append(list, t.text)
	}
	return strings.Join(list, ",")
}

// Set parses a flag.
func (ts *thresholds) Set(text string) error {
	for part := range strings.SplitSeq(text, ",") {
		t, err := parseThreshold(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("threshold %q: %w", part, err)
		}
		*ts = append(*ts, t)
	}
	return nil
}

func parseThreshold(text string) (t threshold, err error) {
	at := strings.IndexAny(text, "<>=")
	if at < 0 {
		return t, errors.New("want name<limit, name>limit or name=limit")
	}
	t.text, t.op = text, text[at]
	name, limit := strings.TrimSpace(text[:at]), strings.TrimSpace(text[at+1:])
	known := false
	if t.figure, known = quantityOf(name); !known {
		t.figure, known = stepQuantity(name)
	}
	if !known {
		return t, fmt.Errorf("unknown name; there are %s", thresholdNames)
	}
	if t.figure.unit == judgements && t.op != '=' {
		return t, errors.New("want generator=ok")
	}
	t.limit, err = t.figure.parse(limit)
	return t, err
}

// judged sets each beside its figure. A figure that was not measured meets none.
func (ts thresholds) judged(s report.Summary) (list []report.Threshold) {
	for _, t := range ts {
		j := report.Threshold{Text: t.text, Value: t.figure.of(s)}
		if j.Value != nil {
			j.Shown, j.Met = t.figure.show(*j.Value), t.met(*j.Value)
		}
		list = append(list, j)
	}
	return list
}

// judge has the verdict on a run depend on its thresholds, and of a soak on its
// growth.
func judge(r *report.Result, ts thresholds) {
	r.Judge(ts.judged(r.Summary))
	r.Judge(growth(r.Memory))
}

func (t threshold) met(value float64) bool {
	switch t.op {
	case '<':
		return value < t.limit
	case '>':
		return value > t.limit
	}
	return value == t.limit
}

// A quantity is something that a threshold can be about.
type quantity struct {
	name string
	step string // of a scenario file that it is about; "" for the whole run
	unit unit
	of   func(report.Summary) *float64 // nil if not measured
}

// A unit is the unit of a quantity. Times are in milliseconds.
type unit int

const (
	times unit = iota
	numbers
	judgements // 1 is ok
)

func (q quantity) parse(limit string) (float64, error) {
	if q.unit == times {
		d, err := time.ParseDuration(limit)
		if err != nil || d < 0 {
			return 0, errors.New("want a limit with a unit, such as 500ms")
		}
		return float64(d) / 1e6, nil
	}
	if q.unit == judgements {
		if limit != "ok" {
			return 0, errors.New("want generator=ok")
		}
		return 1, nil
	}
	n, err := strconv.ParseFloat(limit, 64)
	if err != nil || !(n >= 0) || math.IsInf(n, 0) {
		return 0, errors.New("want a limit without a unit, such as 3000")
	}
	return n, nil
}

func (q quantity) show(value float64) string {
	if q.unit == times {
		return time.Duration(math.Round(value * 1e6)).String()
	}
	if q.unit == judgements {
		return map[bool]string{true: "ok", false: "suspect"}[value == 1]
	}
	return strconv.FormatFloat(math.Round(value*10)/10, 'f', -1, 64)
}

func quantityOf(name string) (q quantity, known bool) {
	for _, q := range quantities() {
		if q.name == name {
			return q, true
		}
	}
	return q, false
}

func quantities() []quantity {
	latency := func(name string, of func(report.Percentiles) float64) quantity {
		return quantity{name: name, unit: times, of: func(s report.Summary) *float64 { return percentile(s.LatencyMs, of) }}
	}
	back := func(name string, of func(report.Comeback) *float64) quantity {
		return quantity{name: name, unit: times, of: func(s report.Summary) *float64 { return of(*cmp.Or(s.Comeback, new(report.Comeback))) }}
	}
	cpu := func(name string, us func(report.Summary) *float64) quantity {
		return quantity{name: name, unit: times, of: func(s report.Summary) *float64 { return thousandth(us(s)) }}
	}
	number := func(name string, of func(report.Summary) *float64) quantity {
		return quantity{name: name, unit: numbers, of: of}
	}
	tally := func(name string, of func(report.Summary) *int64) quantity {
		return quantity{name: name, unit: numbers, of: func(s report.Summary) *float64 { return float(of(s)) }}
	}
	return []quantity{
		latency("p50", func(p report.Percentiles) float64 { return p.P50 }),
		latency("p90", func(p report.Percentiles) float64 { return p.P90 }),
		latency("p99", func(p report.Percentiles) float64 { return p.P99 }),
		latency("p99.9", func(p report.Percentiles) float64 { return p.P999 }),
		latency("max", func(p report.Percentiles) float64 { return p.Max }),
		{name: "join", unit: times, of: func(s report.Summary) *float64 {
			return percentile(s.JoinLatencyMs, func(p report.Percentiles) float64 { return p.P99 })
		}},
		back("back50", func(c report.Comeback) *float64 { return c.Back50Ms }),
		back("back99", func(c report.Comeback) *float64 { return c.Back99Ms }),
		back("back100", func(c report.Comeback) *float64 { return c.Back100Ms }),
		cpu("cpu", func(s report.Summary) *float64 { return s.ServerCPUUsPerDelivery }),
		cpu("cpu-join", func(s report.Summary) *float64 { return s.ServerCPUUsPerJoin }),
		cpu("cpu-reply", func(s report.Summary) *float64 { return cmp.Or(s.Echo, new(report.Echo)).ServerCPUUsPerReply }),
		cpu("cpu-heartbeat", func(s report.Summary) *float64 { return cmp.Or(s.Idle, new(report.Idle)).ServerCPUUsPerHeartbeat }),
		number("joins", func(s report.Summary) *float64 { return s.ConnectJoinPerSecond }),
		number("rate", func(s report.Summary) *float64 { return s.DeliveriesPerSecond }),
		number("replies", func(s report.Summary) *float64 { return cmp.Or(s.Echo, new(report.Echo)).RepliesPerSecond }),
		number("server", func(s report.Summary) *float64 { return s.ServerBytesPerClient }),
		number("client", func(s report.Summary) *float64 { return s.ClientBytesPerClient }),
		number("kernel", func(s report.Summary) *float64 { return s.KernelBytesPerClient }),
		tally("lost", func(s report.Summary) *int64 { return s.Lost }),
		tally("duplicated", func(s report.Summary) *int64 { return s.Duplicated }),
		tally("reordered", func(s report.Summary) *int64 { return s.Reordered }),
		tally("late", func(s report.Summary) *int64 { return s.Late }),
		tally("retries", func(s report.Summary) *int64 {
			if s.Comeback == nil {
				return nil
			}
			return &s.Comeback.Retries
		}),
		tally("errors", errorCount),
		{name: "generator", unit: judgements, of: generatorOK},
	}
}

// generatorOK is 1 or 0, nil if the generator was not watched.
func generatorOK(s report.Summary) *float64 {
	if s.Generator == nil {
		return nil
	}
	ok := 0.0
	if s.Generator.OK {
		ok = 1
	}
	return &ok
}

// errorCount is how many there were of all kinds.
func errorCount(s report.Summary) *int64 {
	if s.Errors == nil {
		return nil
	}
	var n int64
	for _, count := range s.Errors {
		n += count
	}
	return &n
}

func percentile(p *report.Percentiles, of func(report.Percentiles) float64) *float64 {
	if p == nil {
		return nil
	}
	ms := of(*p)
	return &ms
}

// thousandth turns microseconds into milliseconds.
func thousandth(us *float64) *float64 {
	if us == nil {
		return nil
	}
	ms := *us / 1000
	return &ms
}

func float(n *int64) *float64 {
	if n == nil {
		return nil
	}
	f := float64(*n)
	return &f
}
