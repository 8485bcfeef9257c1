package report

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// maxPoints bounds a timeline: more cannot be told apart on a screen.
const maxPoints = 240

// A timeline holds the ticks of a run and makes charts of them.
type timeline struct {
	ticks  []record.Tick
	each   int     // ticks in one point
	unit   float64 // of x, in milliseconds
	x      axis
	xs     []float64
	events []event
}

func newTimeline(ticks []record.Tick, events ...event) timeline {
	t := timeline{each: (len(ticks) + maxPoints - 1) / maxPoints, events: events}
	t.ticks = thin(ticks, t.each)
	if len(t.ticks) == 0 {
		return t
	}
	t.unit = 1000
	name := "s"
	if t.ticks[len(t.ticks)-1].AtMs > 10*60*1000 {
		t.unit, name = 60_000, "min"
	}
	for _, tick := range t.ticks {
		t.xs = append(t.xs, float64(tick.AtMs)/t.unit)
	}
	t.x = axis{
		scale: exactly(0, t.xs[len(t.xs)-1], 8),
		label: "time since start, " + name,
		tick:  compact,
		cell:  func(v float64) string { return fmt.Sprintf("%.1f %s", v, name) },
	}
	return t
}

// thin makes one tick of each n. Counters come from the last, latencies from the slowest,
// so no peak is lost.
func thin(ticks []record.Tick, n int) []record.Tick {
	var out []record.Tick
	for i, tick := range ticks {
		if i%n != 0 {
			last := &out[len(out)-1]
			tick.P50Us, tick.P99Us = max(tick.P50Us, last.P50Us), max(tick.P99Us, last.P99Us)
			*last = tick
			continue
		}
		out = append(out, tick)
	}
	return out
}

// values reads one value from each tick.
func (t timeline) values(of func(record.Tick) int64) []float64 {
	values := make([]float64, len(t.ticks))
	for i, tick := range t.ticks {
		values[i] = float64(of(tick))
	}
	return values
}

// readings are values of something that is never 0: 0 means not measured.
func (t timeline) readings(of func(record.Tick) int64) []float64 {
	values := t.values(of)
	for i, v := range values {
		if v == 0 {
			values[i] = math.NaN()
		}
	}
	return values
}

// unlessZero gives up on values that are 0 throughout: they were not measured.
func unlessZero(values []float64) []float64 {
	if least, most := bounds(series{values: values}); least != 0 || most != 0 {
		return values
	}
	for i := range values {
		values[i] = math.NaN()
	}
	return values
}

// perSecond turns a running total into its growth. The first tick has none,
// nor has one whose total fell because a process and its share are gone.
//
// Of two ticks close to each other, as when the first was late, the second has the
// growth over both.
func (t timeline) perSecond(totals []float64) []float64 { return t.perSecondOver(totals, t.usual()/2) }

// usual is the median time between two ticks, in milliseconds.
func (t timeline) usual() int64 {
	var apart []float64
	for i := 1; i < len(t.ticks); i++ {
		apart = append(apart, float64(t.ticks[i].AtMs-t.ticks[i-1].AtMs))
	}
	if len(apart) == 0 {
		return 0
	}
	return int64(median(apart))
}

// perSecondOver is perSecond over at least so many milliseconds before each tick,
// as far as there are: of a total that is coarse.
func (t timeline) perSecondOver(totals []float64, least int64) []float64 {
	rates := make([]float64, len(totals))
	from := 0
	for i := range totals {
		rates[i] = math.NaN()
		if i == 0 {
			continue
		}
		for from < i-1 && t.ticks[i].AtMs-t.ticks[from+1].AtMs >= least {
			from++
		}
		for from < i-1 && math.IsNaN(totals[from]) {
			from++
		}
		growth, ms := totals[i]-totals[from], t.ticks[i].AtMs-t.ticks[from].AtMs
		if growth >= 0 && ms > 0 {
			rates[i] = growth * 1000 / float64(ms)
		}
	}
	return rates
}

// spread is perSecond of a total that is told less often than there are ticks, as
// client processes tell theirs: it grew not in the tick that heard of it, but
// over as many before it as there usually are between two such.
func (t timeline) spread(totals []float64) []float64 {
	rates, span := t.perSecond(totals), toldEvery(totals)
	for i := 1; i < len(totals) && span > 1; i++ {
		to := min(i+span-1, len(totals)-1)
		from := max(to-span, 0)
		growth, ms := totals[to]-totals[from], t.ticks[to].AtMs-t.ticks[from].AtMs
		if !math.IsNaN(rates[i]) && growth >= 0 && ms > 0 {
			rates[i] = growth * 1000 / float64(ms)
		}
	}
	return rates
}

// mostSpread is over how many ticks a growth may be spread: what is longer is a
// pause.
const mostSpread = 5

// toldEvery is after how many ticks a total usually grows. The little that some
// processes tell between the others does not count.
func toldEvery(totals []float64) int {
	most := 0.0
	for i := 1; i < len(totals); i++ {
		most = max(most, totals[i]-totals[i-1])
	}
	last, usual, often := 0, 1, make([]int, mostSpread+1)
	for i := 1; i < len(totals); i++ {
		if growth := totals[i] - totals[i-1]; growth > 0 && growth >= most/10 {
			if last > 0 {
				often[min(i-last, mostSpread)]++
			}
			last = i
		}
	}
	for n, times := range often {
		if times > often[usual] {
			usual = n
		}
	}
	return usual
}

// chart draws lines over time. The scale of y starts at 0.
func (t timeline) chart(c chart, y axis, lines ...series) chart {
	if t.each > 1 {
		c.About += fmt.Sprintf(" Each point covers %d ticks.", t.each)
	}
	if _, most := bounds(lines...); !math.IsInf(most, 0) {
		y.scale = fromZero(most, 4)
		c.plot(t.x, y, t.xs, lines)
		c.Phases, c.Events = t.phases(), t.marks()
	}
	return c
}

// phases marks where each phase of the run begins. Those too short to carry
// their name go without.
func (t timeline) phases() []phase {
	var phases []phase
	begin := 0.0 // after the last tick of the phase before
	for i, tick := range t.ticks {
		if i+1 < len(t.ticks) && t.ticks[i+1].Phase == tick.Phase {
			continue
		}
		end := t.x.at(t.xs[i])
		p := phase{From: cent(begin), Narrow: end-begin < 0.25}
		if end-begin > 0.12 {
			p.Name = tick.Phase
		}
		phases = append(phases, p)
		begin = end
	}
	return phases
}

func (t timeline) clients() chart {
	c := chart{ID: "clients", Title: "Clients over time", About: "Connections that are open, and clients whose join was answered."}
	return t.chart(c, axis{label: "clients", tick: compact, cell: whole},
		series{"joined", "blue", t.values(func(t record.Tick) int64 { return t.Joined }), true},
		series{"connected", "orange dashed", t.values(func(t record.Tick) int64 { return t.Connected }), false})
}

func (t timeline) deliveries() chart {
	c := chart{ID: "deliveries", Title: "Delivered messages per second", About: "Receipts of broadcasts at all clients together."}
	return t.chart(c, axis{label: "messages/s", tick: compact, cell: rate},
		series{"delivered", "blue", t.spread(t.values(func(t record.Tick) int64 { return t.Delivered })), true})
}

func (t timeline) replies() chart {
	c := chart{ID: "replies", Title: "Replies per second", About: "Answers to the pings of all clients together."}
	return t.answers(c, func(t record.Tick) int64 { return t.Replies })
}

func (t timeline) heartbeats() chart {
	c := chart{ID: "heartbeats", Title: "Heartbeats per second", About: "Heartbeats of all clients together that were answered."}
	return t.answers(c, func(t record.Tick) int64 { return t.Heartbeats })
}

// answers draws how fast a total grows that earlier programs did not record.
func (t timeline) answers(c chart, total func(record.Tick) int64) chart {
	return t.chart(c, axis{label: c.ID + "/s", tick: compact, cell: rate},
		series{c.ID, "blue", t.spread(unlessZero(t.values(total))), true})
}

// latency returns the chart of the latency of arrivals, which are receipts or replies.
func (t timeline) latency(arrival string) chart {
	c := chart{ID: "latency", Title: "Latency over time", About: "From the intended send to the " + arrival + ", over the interval before each point."}
	ms := func(of func(record.Tick) int64) []float64 { return thousandths(t.readings(of)) }
	y := axis{label: "latency, ms", tick: plain, cell: milliseconds}
	if p50, p99 := ms(func(t record.Tick) int64 { return t.P50Us }), ms(func(t record.Tick) int64 { return t.P99Us }); sparse(p99) {
		return t.bars(c, y, series{"p50", "blue", p50, false}, series{"p99", "orange", p99, false})
	}
	return t.chart(c, y,
		series{"p99", "orange", ms(func(t record.Tick) int64 { return t.P99Us }), false},
		series{"p50", "blue", ms(func(t record.Tick) int64 { return t.P50Us }), false})
}

// sparse says that most values stand alone, or with one other, between gaps: they
// make no line.
func sparse(values []float64) bool {
	alone, all, length := 0, 0, 0
	for _, v := range append(values[:len(values):len(values)], math.NaN()) {
		if !math.IsNaN(v) {
			length++
			continue
		}
		all += length
		if length <= 2 {
			alone += length
		}
		length = 0
	}
	return 2*alone > all
}

// bars draws a bar over the interval before each point, up to the value of the first
// series and from there on to the value of the second.
func (t timeline) bars(c chart, y axis, low, high series) chart {
	low.class, high.class = low.class+" bar", high.class+" bar"
	c = t.chart(c, y, low, high)
	if len(c.Keys) == 0 {
		return c
	}
	c.Keys[0].Name, c.Keys[1].Name = "up to "+low.name, "up to "+high.name
	_, most := bounds(low, high)
	y.scale = fromZero(most, 4)
	c.becomeBars(low.class, t.barPath(y, make([]float64, len(t.xs)), low.values))
	c.becomeBars(high.class, t.barPath(y, low.values, high.values))
	return c
}

// becomeBars draws bars where the line of a series was.
func (c *chart) becomeBars(class, path string) {
	c.Shapes = slices.DeleteFunc(c.Shapes, func(s shape) bool { return strings.HasPrefix(s.Class, class) })
	c.Shapes = slices.Insert(c.Shapes, 0, shape{class, path}) // below the lines of others
}

// barPath is bars from one value to another. On a scale of a long run they are
// wider than their interval: they have to be seen.
func (t timeline) barPath(y axis, from, to []float64) string {
	const narrowest = 4 // of the 1,000 that the plot is wide
	var b strings.Builder
	for i, v := range to {
		if math.IsNaN(v) || math.IsNaN(from[i]) {
			continue
		}
		right := 1000 * t.x.at(t.xs[i])
		left := right - narrowest
		if i > 0 {
			left = min(left, 1000*t.x.at(t.xs[i-1])+1)
		}
		fmt.Fprintf(&b, "M%.1f %.1fH%.1fV%.1fH%.1fZ", left, 1000-1000*y.at(from[i]), right, 1000-1000*y.at(v), left)
	}
	return b.String()
}

func (t timeline) cpu() chart {
	c := chart{ID: "cpu", Title: "CPU over time", About: "User and system time of all processes; 1 is one core fully used."}
	cores := func(of func(record.Tick) int64) []float64 {
		const coarse = 400 // of hundredths of a second that is 2.5 %
		values := t.perSecondOver(t.readings(of), coarse)
		for i := range values {
			values[i] /= 1e9
		}
		return values
	}
	return t.chart(c, axis{label: "cores", tick: compact, cell: func(v float64) string { return threeDigits(v) + " cores" }},
		series{"server", "blue", cores(func(t record.Tick) int64 { return t.ServerCPUNs }), true},
		series{"client", "orange", cores(func(t record.Tick) int64 { return t.ClientCPUNs }), false})
}

func (t timeline) generator() chart {
	c := chart{ID: "generator", Title: "The load generator itself", About: "The longest delay of a send, and the longest time that an event loop of clients kept a connection waiting, over the interval before each point."}
	ms := func(of func(record.Tick) int64) []float64 { return thousandths(t.readings(of)) }
	late := series{"late sends", "orange", ms(func(t record.Tick) int64 { return t.LateUs }), false}
	lag := series{"lag of event loops", "blue", ms(func(t record.Tick) int64 { return t.LagUs }), false}
	y := axis{label: "time, ms", tick: plain, cell: milliseconds}
	switch _, most := bounds(late); {
	case math.IsInf(most, 0): // a closed loop
		return t.chart(c, y, lag)
	case !sparse(late.values):
		return t.chart(c, y, late, lag)
	}
	late.class += " bar" // there are moments without any
	if c = t.chart(c, y, late, lag); len(c.Keys) > 0 {
		_, most := bounds(late, lag)
		y.scale = fromZero(most, 4)
		c.becomeBars(late.class, t.barPath(y, make([]float64, len(t.xs)), late.values))
	}
	return c
}

// thousandths turns microseconds into milliseconds.
func thousandths(values []float64) []float64 {
	for i := range values {
		values[i] /= 1000
	}
	return values
}

func (t timeline) memory() chart {
	c := chart{ID: "memory", Title: "Memory over time", About: "Resident memory of all processes, and kernel memory above the start of the run: slab and TCP buffers of the whole host; other programs count too."}
	return t.chart(c, axis{label: "bytes", tick: func(v float64) string { return compact(v) + "B" }, cell: size},
		series{"server", "blue", t.readings(func(t record.Tick) int64 { return t.ServerRSS }), false},
		series{"client", "orange", t.readings(func(t record.Tick) int64 { return t.ClientRSS }), false},
		series{"kernel", "teal", unlessZero(t.values(func(t record.Tick) int64 { return t.KernelBytes })), false})
}

func whole(v float64) string { return count(int64(v)) }
