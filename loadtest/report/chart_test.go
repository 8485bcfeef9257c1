package report

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// upTo10 is an axis on which 10 is the end.
func upTo10(label string) axis {
	return axis{scale: scale{max: 10, ticks: []float64{0, 5, 10}}, label: label, tick: plain, cell: func(v float64) string { return plain(v) + " u" }}
}

// A line joins neighbours, ends at a gap, and is a dot where a value stands alone.
// What is filled goes down to the axis and is closed there.
func TestPath(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name       string
		ys         []float64
		line, fill string
	}{
		{"nothing", nil, "", ""},
		{"all gaps", []float64{none, none}, "", ""},
		{"two neighbours", []float64{0, 10}, "M0.0 1000.0h0L500.0 0.0", "M0.0 1000V1000.0L500.0 0.0V1000Z"},
		{"a gap between", []float64{5, none, 10}, "M0.0 500.0h0M1000.0 0.0h0", "M0.0 1000V500.0V1000ZM1000.0 1000V0.0V1000Z"},
		{"a gap at both ends", []float64{none, 5, none}, "M500.0 500.0h0", "M500.0 1000V500.0V1000Z"},
		{"below the axis", []float64{-3, 5}, "M0.0 1000.0h0L500.0 500.0", "M0.0 1000V1000.0L500.0 500.0V1000Z"},
	} {
		xs := []float64{0, 5, 10}
		if got := path(upTo10("x"), upTo10("y"), xs, test.ys, ""); got != test.line {
			t.Errorf("%s: line %q, want %q", test.name, got, test.line)
		}
		if got := path(upTo10("x"), upTo10("y"), xs, test.ys, "V1000"); got != test.fill {
			t.Errorf("%s: fill %q, want %q", test.name, got, test.fill)
		}
	}
}

func TestLone(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		ys   []float64
		kept []int // places of the values that stand alone
	}{
		{"nothing", nil, nil},
		{"one", []float64{7}, []int{0}},
		{"two", []float64{7, 8}, nil},
		{"first and last", []float64{7, none, 8, 9, none, 6}, []int{0, 5}},
		{"zero is a value", []float64{none, 0, none}, []int{1}},
	} {
		var kept []int
		for i, v := range lone(test.ys) {
			if math.IsNaN(v) {
				continue
			}
			if kept = append(kept, i); v != test.ys[i] {
				t.Errorf("%s: value %d is %v, want %v", test.name, i, v, test.ys[i])
			}
		}
		if !slices.Equal(kept, test.kept) {
			t.Errorf("%s: lone are %v, want %v", test.name, kept, test.kept)
		}
	}
}

func TestBounds(t *testing.T) {
	t.Parallel()
	inf := math.Inf(1)
	for _, test := range []struct {
		name        string
		lines       []series
		least, most float64
	}{
		{"no lines", nil, inf, -inf},
		{"only gaps", []series{{values: []float64{none, none}}}, inf, -inf},
		{"of all lines", []series{{values: []float64{3, none}}, {values: []float64{-2, 9}}}, -2, 9},
	} {
		if least, most := bounds(test.lines...); least != test.least || most != test.most {
			t.Errorf("%s: bounds %v, %v, want %v, %v", test.name, least, most, test.least, test.most)
		}
	}
}

// Each point has the part of the width that is nearer to it than to its neighbours,
// its box opens to the side that has room, and x values without any y have no row.
func TestPlot(t *testing.T) {
	t.Parallel()
	var c chart
	c.plot(upTo10("time"), upTo10("load"), []float64{0, 2, 6, 10}, []series{
		{"a", "blue", []float64{1, none, none, 4}, true},
		{"b", "teal", []float64{2, none, 3, none}, false},
		{"c", "orange", []float64{none, none, none, none}, false},
	})
	if c.X != "time" || c.Y != "load" {
		t.Errorf("axes %q and %q, want time and load", c.X, c.Y)
	}
	if got, want := fmt.Sprint(c.XTicks), "[{0.00 0} {50.00 5} {100.00 10}]"; got != want {
		t.Errorf("marks of x %s, want %s", got, want)
	}
	if got, want := fmt.Sprint(c.YTicks), "[{100.00 0} {50.00 5} {0.00 10}]"; got != want {
		t.Errorf("marks of y %s, want %s: they count from the top", got, want)
	}
	if got, want := fmt.Sprint(c.Keys), "[{blue a} {teal b} {orange c: not measured}]"; got != want {
		t.Errorf("keys %s, want %s", got, want)
	}
	if want := []string{"time", "a", "b", "c"}; !slices.Equal(c.Columns, want) {
		t.Errorf("columns %q, want %q", c.Columns, want)
	}
	want := []row{
		{"0.00", "10.00", false, []string{"0 u", "1 u", "2 u", "–"}},
		{"40.00", "40.00", false, []string{"6 u", "–", "3 u", "–"}},
		{"80.00", "20.00", true, []string{"10 u", "4 u", "–", "–"}},
	}
	if got := fmt.Sprint(c.Rows); got != fmt.Sprint(want) {
		t.Errorf("rows %s, want %s", got, fmt.Sprint(want))
	}
	var classes []string
	for _, s := range c.Shapes {
		classes = append(classes, s.Class)
	}
	if want := []string{"blue fill", "blue line", "blue dot", "teal line", "teal dot", "orange line"}; !slices.Equal(classes, want) {
		t.Errorf("shapes %q, want %q", classes, want)
	}
}

// phased are ticks of a second each, in phases of so many.
func phased(lengths ...int) (ticks []record.Tick) {
	for i, n := range lengths {
		for range n {
			ticks = append(ticks, record.Tick{AtMs: int64(1000 * (len(ticks) + 1)), Phase: string(rune('a' + i)), Joined: 1})
		}
	}
	return ticks
}

func TestPhases(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		lengths []int
		want    string
	}{
		{"one", []int{10}, "[{0.00 a false}]"},
		{"halves", []int{5, 5}, "[{0.00 a false} {50.00 b false}]"},
		{"a quarter is not narrow", []int{5, 15}, "[{0.00 a false} {25.00 b false}]"},
		{"a fifth is", []int{4, 16}, "[{0.00 a true} {20.00 b false}]"},
		{"a tenth has no name", []int{2, 18}, "[{0.00  true} {10.00 b false}]"},
		{"three", []int{8, 2, 10}, "[{0.00 a false} {40.00  true} {50.00 c false}]"},
	} {
		if got := fmt.Sprint(newTimeline(phased(test.lengths...)).phases()); got != test.want {
			t.Errorf("%s: phases %s, want %s", test.name, got, test.want)
		}
	}
}

// Events off the axis are not shown; names of late ones are to the left of their line.
func TestEventMarks(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		atMs int64
		want string
	}{
		{"before the start", -1, "[]"},
		{"at the start", 0, "[{0.00 x false 0}]"},
		{"before the edge", 6000, "[{60.00 x false 0}]"},
		{"past it", 6001, "[{60.01 x true 0}]"},
		{"at the end", 10_000, "[{100.00 x true 0}]"},
		{"after the end", 10_001, "[]"},
	} {
		if got := fmt.Sprint(newTimeline(phased(10), event{test.atMs, "x"}).marks()); got != test.want {
			t.Errorf("%s: marks %s, want %s", test.name, got, test.want)
		}
	}
	two := newTimeline(phased(10), event{1000, "down"}, event{1100, "up"}).marks()
	if len(two) != 2 || two[0].Line == two[1].Line {
		t.Errorf("two events close to each other are %v, want their names in different lines", two)
	}
	long := newTimeline([]record.Tick{{AtMs: 1_200_000}}, event{600_000, "x"}).marks()
	if got, want := fmt.Sprint(long), "[{50.00 x false 0}]"; got != want {
		t.Errorf("marks in a run of minutes %s, want %s", got, want)
	}
}

// A long run has at most so many points. Counters are those of the last tick of each
// point, latencies those of the slowest.
func TestThin(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ ticks, each, points int }{
		{0, 0, 0}, {1, 1, 1}, {maxPoints, 1, maxPoints}, {maxPoints + 1, 2, maxPoints/2 + 1}, {10 * maxPoints, 10, maxPoints},
	} {
		tl := newTimeline(make([]record.Tick, test.ticks))
		if tl.each != test.each || len(tl.ticks) != test.points {
			t.Errorf("%d ticks: %d points of %d each, want %d of %d", test.ticks, len(tl.ticks), tl.each, test.points, test.each)
		}
	}
	got := thin([]record.Tick{
		{AtMs: 1, Joined: 1, P50Us: 9, P99Us: 20}, {AtMs: 2, Joined: 2, P50Us: 3, P99Us: 90}, {AtMs: 3, Joined: 3, P50Us: 4, P99Us: 30},
		{AtMs: 4, Joined: 4, P50Us: 1, P99Us: 2},
	}, 3)
	if len(got) != 2 || got[0].AtMs != 3 || got[0].Joined != 3 || got[0].P50Us != 9 || got[0].P99Us != 90 || got[1].P99Us != 2 {
		t.Errorf("thin() = %+v, want the last counters and the slowest latencies of three", got)
	}
}

// The axis of time is in seconds up to ten minutes, then in minutes, and ends at the
// last tick.
func TestAxisOfTime(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name  string
		lasts int64 // milliseconds
		label string
		most  float64
		ticks string
		cell  string // of the last
	}{
		{"a second", 1000, "time since start, s", 1, "0 0.2 0.4 0.6000000000000001 0.8 1", "1.0 s"},
		{"ten minutes", 600_000, "time since start, s", 600, "0 100 200 300 400 500 600", "600.0 s"},
		{"more", 600_001, "time since start, min", 600_001. / 60_000, "0 2 4 6 8 10", "10.0 min"},
		{"no time at all", 0, "time since start, s", 1, "0", "0.0 s"},
	} {
		tl := newTimeline([]record.Tick{{AtMs: 0}, {AtMs: test.lasts}})
		if got := strings.Trim(fmt.Sprint(tl.x.ticks), "[]"); tl.x.label != test.label || tl.x.max != test.most || tl.x.min != 0 || got != test.ticks {
			t.Errorf("%s: %q from %v to %v with ticks at %s, want %q to %v with %s", test.name, tl.x.label, tl.x.min, tl.x.max, got, test.label, test.most, test.ticks)
		}
		if got := tl.x.cell(tl.xs[1]); got != test.cell {
			t.Errorf("%s: the last cell is %s, want %s", test.name, got, test.cell)
		}
	}
}

func TestToldEvery(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		totals []float64
		want   int
	}{
		{"nothing", nil, 1},
		{"never", []float64{0, 0, 0}, 1},
		{"each tick", []float64{0, 5, 10, 15, 20}, 1},
		{"each second one", []float64{0, 0, 8, 8, 16, 16, 24}, 2},
		{"each third one", []float64{0, 9, 9, 9, 18, 18, 18, 27}, 3},
		{"a little between", []float64{0, 50, 51, 101, 102, 152, 153, 203}, 2},
		{"pauses count as the longest", []float64{0, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 3}, mostSpread},
		{"as often the one as the other", []float64{0, 1, 2, 2, 3}, 1},
	} {
		if got := toldEvery(test.totals); got != test.want {
			t.Errorf("%s: told each %d ticks, want %d", test.name, got, test.want)
		}
	}
}

// A total that is told each second tick grew over two; the sum of the rates stays
// what it is.
func TestSpread(t *testing.T) {
	t.Parallel()
	ticks := make([]record.Tick, 9)
	for i := range ticks {
		ticks[i].AtMs = int64(i) * 500
	}
	tl := newTimeline(ticks)
	for _, test := range []struct {
		name         string
		totals, want []float64
	}{
		{"each tick", []float64{0, 5, 10, 15, 20, 25, 30, 35, 40}, []float64{none, 10, 10, 10, 10, 10, 10, 10, 10}},
		{"each second", []float64{0, 0, 10, 10, 20, 20, 30, 30, 40}, []float64{none, 10, 10, 10, 10, 10, 10, 10, 10}},
		{"a process gone", []float64{0, 5, 10, 15, 8, 13, 18, 23, 28}, []float64{none, 10, 10, 10, none, 10, 10, 10, 10}},
		{"not measured at first", []float64{none, none, 10, 15, 20, 25, 30, 35, 40}, []float64{none, none, none, 10, 10, 10, 10, 10, 10}},
	} {
		if got := tl.spread(test.totals); !slices.EqualFunc(got, test.want, same) {
			t.Errorf("%s: rates %v, want %v", test.name, got, test.want)
		}
	}
}

func same(a, b float64) bool { return a == b || math.IsNaN(a) && math.IsNaN(b) }

// A reading of 0 is a gap; a count of 0 is one only if it never was anything else.
func TestZeroOfATimeline(t *testing.T) {
	t.Parallel()
	tl := newTimeline([]record.Tick{{ServerRSS: 0, Replies: 0}, {ServerRSS: 7, Replies: 5}})
	if got := tl.readings(func(t record.Tick) int64 { return t.ServerRSS }); !slices.EqualFunc(got, []float64{none, 7}, same) {
		t.Errorf("readings %v, want a gap and 7", got)
	}
	if got := unlessZero(tl.values(func(t record.Tick) int64 { return t.Replies })); !slices.EqualFunc(got, []float64{0, 5}, same) {
		t.Errorf("counts %v, want 0 and 5", got)
	}
	if got := unlessZero([]float64{0, 0}); !slices.EqualFunc(got, []float64{none, none}, same) {
		t.Errorf("counts that never grew %v, want gaps", got)
	}
}

// overTime are three ticks of a second with everything in them.
func overTime() []record.Tick {
	return []record.Tick{
		{AtMs: 1000, Phase: "connect", Connected: 5, Joined: 4, ServerRSS: 1e6, ClientRSS: 2e6, KernelBytes: 3e6, ServerCPUNs: 1e9, ClientCPUNs: 2e9},
		{AtMs: 2000, Phase: "broadcast", Connected: 9, Joined: 8, Delivered: 100, Replies: 10, Heartbeats: 1, P50Us: 1500, P99Us: 9000,
			ServerRSS: 4e6, ClientRSS: 5e6, KernelBytes: 6e6, ServerCPUNs: 15e8, ClientCPUNs: 22e8, LateUs: 3000, LagUs: 700},
		{AtMs: 3000, Phase: "broadcast", Connected: 9, Joined: 9, Delivered: 300, Replies: 30, Heartbeats: 3, P50Us: 2500, P99Us: 8000,
			ServerRSS: 7e6, ClientRSS: 8e6, KernelBytes: -9e6, ServerCPUNs: 2e9, ClientCPUNs: 23e8, LateUs: 4000, LagUs: 800},
	}
}

// Each chart over time shows its own figures, in its own unit.
func TestChartsOverTime(t *testing.T) {
	t.Parallel()
	tl := newTimeline(overTime())
	for _, test := range []struct {
		chart   chart
		id, y   string
		columns string
		rows    []string
	}{
		{tl.clients(), "clients", "clients", "joined connected", []string{"1.0 s|4|5", "2.0 s|8|9", "3.0 s|9|9"}},
		{tl.deliveries(), "deliveries", "messages/s", "delivered", []string{"2.0 s|100 /s", "3.0 s|200 /s"}},
		{tl.replies(), "replies", "replies/s", "replies", []string{"2.0 s|10.0 /s", "3.0 s|20.0 /s"}},
		{tl.heartbeats(), "heartbeats", "heartbeats/s", "heartbeats", []string{"2.0 s|1.00 /s", "3.0 s|2.00 /s"}},
		{tl.cpu(), "cpu", "cores", "server client", []string{"2.0 s|0.50 cores|0.20 cores", "3.0 s|0.50 cores|0.10 cores"}},
		{tl.memory(), "memory", "bytes", "server client kernel", []string{"1.0 s|1.00 MB|2.00 MB|3.00 MB", "2.0 s|4.00 MB|5.00 MB|6.00 MB", "3.0 s|7.00 MB|8.00 MB|-9.00 MB"}},
	} {
		c := test.chart
		if c.ID != test.id || c.Y != test.y || strings.Join(c.Columns[1:], " ") != test.columns {
			t.Errorf("chart %s of %q with columns %q, want %s of %q with %q", c.ID, c.Y, c.Columns, test.id, test.y, test.columns)
		}
		wantRows(t, c, test.rows)
		if len(c.Phases) != 2 {
			t.Errorf("%s: phases %v, want two", c.ID, c.Phases)
		}
	}
}

func wantRows(t *testing.T, c chart, want []string) {
	t.Helper()
	var got []string
	for _, r := range c.Rows {
		got = append(got, strings.Join(r.Cells, "|"))
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: rows %q, want %q", c.ID, got, want)
	}
}

// Latencies of two ticks are bars, of three in a row lines; the lines of the
// generator are told apart.
func TestLatenciesOverTime(t *testing.T) {
	t.Parallel()
	ticks := overTime()
	wantRows(t, newTimeline(ticks).latency("reply"), []string{"2.0 s|1.50 ms|9.00 ms", "3.0 s|2.50 ms|8.00 ms"})
	ticks[0].P50Us, ticks[0].P99Us, ticks[0].LateUs, ticks[0].LagUs = 500, 7000, 1000, 600
	c := newTimeline(ticks).latency("reply")
	wantRows(t, c, []string{"1.0 s|7.00 ms|500 µs", "2.0 s|9.00 ms|1.50 ms", "3.0 s|8.00 ms|2.50 ms"})
	if c.Keys[0].Name != "p99" || c.Keys[1].Name != "p50" || !strings.Contains(c.About, "to the reply") {
		t.Errorf("keys %v, about %q", c.Keys, c.About)
	}
	g := newTimeline(ticks).generator()
	wantRows(t, g, []string{"1.0 s|1.00 ms|600 µs", "2.0 s|3.00 ms|700 µs", "3.0 s|4.00 ms|800 µs"})
}

// A chart of points that are several ticks says so; one of nothing is empty.
func TestChartOfManyTicksAndOfNone(t *testing.T) {
	t.Parallel()
	var many []record.Tick
	for i := range 3 * maxPoints {
		many = append(many, record.Tick{AtMs: int64(i) * 1000, Joined: int64(i)})
	}
	if c := newTimeline(many).clients(); len(c.Rows) != maxPoints || !strings.HasSuffix(c.About, " Each point covers 3 ticks.") {
		t.Errorf("%d rows, about %q, want %d and the ticks of each", len(c.Rows), c.About, maxPoints)
	}
	for _, c := range []chart{newTimeline(nil).clients(), newTimeline(nil).cpu(), newTimeline(nil).generator(), newTimeline([]record.Tick{{AtMs: 5}}).cpu()} {
		if len(c.Rows) > 0 || len(c.Shapes) > 0 || len(c.Keys) > 0 {
			t.Errorf("chart %s of nothing has %d rows, %d shapes, %d keys", c.ID, len(c.Rows), len(c.Shapes), len(c.Keys))
		}
	}
}

// A share of an axis; a step of a logarithmic one is a factor.
func TestScales(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		s       scale
		v, want float64
	}{
		{"start", scale{min: 10, max: 20}, 10, 0},
		{"middle", scale{min: 10, max: 20}, 15, 0.5},
		{"beyond", scale{min: 10, max: 20}, 30, 2},
		{"a factor of ten of a hundred", scale{min: 1, max: 100, log: true}, 10, 0.5},
		{"a linear scale of it", scale{min: 0, max: 100}, 10, 0.1},
	} {
		if got := test.s.at(test.v); math.Abs(got-test.want) > 1e-12 {
			t.Errorf("%s: %v is at %v, want %v", test.name, test.v, got, test.want)
		}
	}
	for _, test := range []struct{ v, up, down float64 }{
		{1, 1, 1}, {1.5, 2, 1}, {2, 2, 2}, {3, 5, 2}, {5, 5, 5}, {7, 10, 5}, {9.99, 10, 5}, {0.03, 0.05, 0.02}, {1000, 1000, 1000}, {1e6, 1e6, 1e6}, {1e-3, 1e-3, 1e-3},
	} {
		if up, down := roundUp(test.v), roundDown(test.v); math.Abs(up/test.up-1) > 1e-9 || math.Abs(down/test.down-1) > 1e-9 {
			t.Errorf("%v rounds to %v and %v, want %v and %v", test.v, up, down, test.up, test.down)
		}
	}
}

// broadcastsOf are so many messages a second apart, each slower than the one before.
func broadcastsOf(n int) (all []record.Broadcast) {
	for i := range n {
		ms := int64(i+1) * 1000
		all = append(all, record.Broadcast{Seq: int64(i + 1), AtMs: int64(i) * 1000, Expected: 10, Delivered: 10, FirstUs: ms, P50Us: 2 * ms, P99Us: 3 * ms, LastUs: 4 * ms})
	}
	return all
}

// The bar of a broadcast is in three parts, from its first receiver to its last.
func TestFanOutChart(t *testing.T) {
	t.Parallel()
	r := &Result{Broadcasts: append(broadcastsOf(2), record.Broadcast{Seq: 3, Expected: 10})}
	r.countSenders()
	c := r.fanOutChart()
	wantRows(t, c, []string{"#1|1.00 ms|2.00 ms|3.00 ms|4.00 ms", "#2|2.00 ms|4.00 ms|6.00 ms|8.00 ms"})
	want := []shape{
		{"blue bar", "M70.0 875.0H430.0V750.0H70.0ZM570.0 750.0H930.0V500.0H570.0Z"},
		{"teal bar", "M70.0 750.0H430.0V625.0H70.0ZM570.0 500.0H930.0V250.0H570.0Z"},
		{"orange bar", "M70.0 625.0H430.0V500.0H70.0ZM570.0 250.0H930.0V0.0H570.0Z"},
	}
	if !slices.Equal(c.Shapes, want) {
		t.Errorf("shapes %q, want %q", c.Shapes, want)
	}
	if c := (&Result{Broadcasts: []record.Broadcast{{Seq: 1, Expected: 10}}}).fanOutChart(); len(c.Rows)+len(c.Shapes) > 0 {
		t.Errorf("a chart of what nobody got has %d rows and %d shapes", len(c.Rows), len(c.Shapes))
	}
	long := &Result{Broadcasts: broadcastsOf(2*maxPoints - 1)}
	c = long.fanOutChart()
	if len(c.Rows) != maxPoints || c.Rows[0].Cells[0] != "#2" || c.Rows[maxPoints-1].Cells[0] != "#479" || !strings.HasSuffix(c.About, " Each bar is the slowest of 2 in a row.") {
		t.Errorf("%d bars from %s to %s, about %q, want the slower of each two", len(c.Rows), c.Rows[0].Cells[0], c.Rows[len(c.Rows)-1].Cells[0], c.About)
	}
	if got := c.XTicks[len(c.XTicks)-1].Label; got != "400" {
		t.Errorf("the last mark is %s, want 400: it counts broadcasts and not bars", got)
	}
}
