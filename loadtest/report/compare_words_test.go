package report

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// sideOf is runs of which each has a summary.
func sideOf(name string, all ...Summary) Side {
	s := Side{Name: name}
	for _, summary := range all {
		s.Runs = append(s.Runs, &Result{Summary: summary})
	}
	return s
}

// Each quantity that runs are compared by is read from its own figure, and has the unit
// of its family.
func TestQuantitiesReadTheirFigures(t *testing.T) {
	t.Parallel()
	p := func(base float64) *Percentiles { return &Percentiles{base + 1, base + 2, base + 3, base + 4, base + 5} }
	s := wholeRun("chat")
	s.ConnectJoinPerSecond, s.FanOutPerSecond = is(1.), is(2.)
	s.Echo, s.Idle = &Echo{RepliesPerSecond: is(3.), ServerCPUUsPerReply: is(6.)}, &Idle{ServerCPUUsPerHeartbeat: is(7.)}
	s.ServerCPUUsPerJoin, s.ServerCPUUsPerDelivery = is(4.), is(5.)
	s.ServerBytesPerClient, s.ClientBytesPerClient, s.KernelBytesPerClient = is(8.), is(9.), is(10.)
	s.LatencyMs, s.RawLatencyMs, s.JoinLatencyMs = p(20), p(30), p(40)
	s.Comeback = &Comeback{Back50Ms: is(50.), Back99Ms: is(51.), Back100Ms: is(52.)}
	s.Churn = &Churn{JoinMs: p(60), LeaveMs: p(70)}
	s.Lost, s.Duplicated, s.Reordered, s.Late, s.Errors = is[int64](80), is[int64](81), is[int64](82), is[int64](83), map[string]int64{"a": 80, "b": 4}
	r := &Result{Summary: s, Broadcasts: []record.Broadcast{
		{Delivered: 1, FirstUs: 90, P50Us: 91, P99Us: 92, LastUs: 93}, {Delivered: 1, FirstUs: 94, P50Us: 95, P99Us: 96, LastUs: 97}, {FirstUs: 1000},
	}}
	want := map[string]string{
		"rates": "1 2 3", "cpu": "4 5 6 7", "memory": "8 9 10", "broadcast": "92 93 94 95", "latency": "21 22 23 24 25", "raw": "31 32 33 34 35",
		"join": "41 42 43 44 45", "back": "50 51 52", "again": "61 62 63 64 65", "leave": "71 72 73 74 75", "faults": "80 81 82 83 84",
	}
	units := map[string]string{
		"rates": "2.00 k/s", "cpu": "2.00 ms", "memory": "2.00 KB", "broadcast": "2.00 ms", "latency": "2.00 s", "raw": "2.00 s", "join": "2.00 s", "back": "2.00 s",
		"again": "2.00 s", "leave": "2.00 s", "faults": "2,000",
	}
	empty := &Result{}
	for _, f := range families() {
		var got []string
		for _, q := range f.members {
			got = append(got, fmt.Sprint(*q.of(r)))
			if q.higher != (f.id == "rates") {
				t.Errorf("%s %s: more is better: %t", f.id, q.name, q.higher)
			}
			if q.of(empty) != nil {
				t.Errorf("%s %s is measured in a run of nothing", f.id, q.name)
			}
		}
		if all := strings.Join(got, " "); all != want[f.id] || f.show(2000) != units[f.id] {
			t.Errorf("%s: %s, and 2,000 is %s, want %s and %s", f.id, all, f.show(2000), want[f.id], units[f.id])
		}
	}
	if got := number(7.5); got != "7.5" {
		t.Errorf("a median of counts is %s, want 7.5", got)
	}
	r.Summary.Scenario = "idle"
	if lost := families()[10].members[0].of(r); lost != nil {
		t.Errorf("a scenario without broadcasts has lost %v", *lost)
	}
}

// A cell is judged against the first side: by which way its runs lie, and only if enough
// of them were made.
func TestJudge(t *testing.T) {
	t.Parallel()
	cellOf := func(runs ...float64) Cell {
		c := Cell{Runs: runs}
		if len(runs) > 0 {
			c.Median = is(median(runs))
		}
		return c
	}
	for _, test := range []struct {
		name        string
		first, cell Cell
		higher      bool
		want, ratio string
	}{
		{"lower is better", cellOf(10, 11, 12), cellOf(1, 2, 3), false, Better, "×0.18"},
		{"lower is worse", cellOf(10, 11, 12), cellOf(1, 2, 3), true, Worse, "×0.18"},
		{"higher is worse", cellOf(1, 2, 3), cellOf(10, 11, 12), false, Worse, "×5.50"},
		{"higher is better", cellOf(1, 2, 3), cellOf(10, 11, 12), true, Better, "×5.50"},
		{"mixed", cellOf(1, 2, 3), cellOf(2, 3, 4), false, WithinNoise, "×1.50"},
		{"the same", cellOf(1, 1, 1), cellOf(1, 1, 1), false, WithinNoise, "×1.00"},
		{"one run", cellOf(1), cellOf(9, 9, 9), false, "one run: no verdict", "×9.00"},
		{"two runs", cellOf(1, 1, 1), cellOf(9, 9), false, "2 runs: no verdict", "×9.00"},
		{"not measured", cellOf(1, 2, 3), cellOf(), false, NotMeasured, "–"},
		{"not measured first", cellOf(), cellOf(1, 2, 3), false, NotMeasured, "–"},
		{"from nothing", cellOf(0, 0, 0), cellOf(1, 1, 1), false, Worse, "–"},
		{"below nothing", cellOf(1, 1, 1), cellOf(-2, -2, -2), false, Better, "–"},
		{"to nothing", cellOf(1, 1, 1), cellOf(0, 0, 0), false, Better, "×0"},
	} {
		c := test.cell
		if c.judge(test.first, test.higher, DefaultAlpha); c.Verdict != test.want || c.ratio() != test.ratio {
			t.Errorf("%s: %s, %s, want %s, %s", test.name, c.Verdict, c.ratio(), test.want, test.ratio)
		}
	}
	for p, want := range map[float64]string{0.0004: "worse, p<0.001", 0.001: "worse, p=0.001", 0.0286: "worse, p=0.029", 1: "worse, p=1"} {
		if got := new(Comparison).verdict(Cell{Verdict: Worse, P: is(p)}); got != want {
			t.Errorf("p %v: %q, want %q", p, got, want)
		}
	}
	if got := (&Comparison{Alpha: 0.1}).verdict(Cell{Verdict: Better, P: is(0.02), Q: is(0.1)}); got != "better, p=0.02 *" {
		t.Errorf("a firm verdict is %q, want a star", got)
	}
	if got := (&Comparison{Alpha: 0.1}).verdict(Cell{Verdict: Better, P: is(0.02), Q: is(0.11)}); got != "better, p=0.02" {
		t.Errorf("a verdict that is not firm is %q, want no star", got)
	}
}

// What cannot be compared is refused.
func TestSidesThatCannotBeCompared(t *testing.T) {
	t.Parallel()
	one := func(name string) Side { return sideOf(name, wholeRun("chat")) }
	for _, test := range []struct {
		name  string
		alpha float64
		sides []Side
		want  string
	}{
		{"two", 0, []Side{one("a"), one("b")}, ""},
		{"six", 0.5, []Side{one("a"), one("b"), one("c"), one("d"), one("e"), one("f")}, ""},
		{"one", 0, []Side{one("a")}, "compare: 1 sides: want 2 to 6"},
		{"seven", 0, []Side{one("a"), one("b"), one("c"), one("d"), one("e"), one("f"), one("g")}, "compare: 7 sides: want 2 to 6"},
		{"no name", 0, []Side{one("a"), one("")}, "compare: a side has no name"},
		{"one name", 0, []Side{one("a"), one("a")}, `compare: two sides are called "a"`},
		{"no runs", 0, []Side{one("a"), {Name: "b"}}, `compare: side "b" has no runs`},
		{"alpha of 1", 1, []Side{one("a"), one("b")}, "compare: alpha 1: want more than 0 and less than 1"},
		{"alpha below 0", -0.1, []Side{one("a"), one("b")}, "compare: alpha -0.1: want more than 0"},
		{"alpha that is none", none, []Side{one("a"), one("b")}, "compare: alpha NaN: want more than 0"},
	} {
		_, err := Compare(test.alpha, test.sides...)
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// Faults of runs are told with their side and their number.
func TestFaultsOfSides(t *testing.T) {
	t.Parallel()
	lossy := with(wholeRun("chat"), func(s *Summary) { s.Lost = is[int64](2) })
	c, err := Compare(0, sideOf("a", wholeRun("chat"), lossy), sideOf("b", Summary{}, wholeRun("chat")))
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"a, run 2: 2 lost", "b, run 1: the records stop before the end of the run: there are no totals"}; !slices.Equal(c.Faults, want) {
		t.Errorf("faults %q, want %q", c.Faults, want)
	}
}

// Circumstances that differ are told once, each side with what it has, or has not.
func TestDifferencesOfRuns(t *testing.T) {
	t.Parallel()
	run := func(clients int64, commit string, kernel ...record.Setting) *Result {
		return &Result{Summary: Summary{Clients: is(clients)}, Run: &record.Run{Commit: commit, Machine: record.Machine{CPU: "x", Cores: 2}, Kernel: kernel}}
	}
	mem := func(v string) record.Setting { return record.Setting{Name: "net.ipv4.tcp_mem", Value: v} }
	a := Side{Name: "a", Runs: []*Result{run(100, "0123456789abcdef", mem("1")), run(100, "0123456789abcdef", mem("2"))}}
	b := Side{Name: "b", Runs: []*Result{run(2000, "fedcba9876543210", mem("1"))}}
	old := Side{Name: "old", Runs: []*Result{{Summary: Summary{Clients: is[int64](100)}}}}
	got := fmt.Sprint(differences([]Side{a, b}))
	if want := "[{clients [100 2,000]} {commit [0123456789ab fedcba987654]} {net.ipv4.tcp_mem [1 or 2 1]}]"; got != want {
		t.Errorf("differences %s, want %s", got, want)
	}
	got = fmt.Sprint(differences([]Side{b, old}))
	if !strings.HasPrefix(got, "[{clients [2,000 100]} {commit [fedcba987654 not recorded]} {CPU [x not recorded]}") {
		t.Errorf("differences from a run without its circumstances %s", got)
	}
	if same := differences([]Side{b, b}); len(same) != 0 {
		t.Errorf("differences of the same runs %v", same)
	}
}

// A group of bars for each quantity, a bar for each side as high as its median, and a
// whisker from its least run to its most.
func TestBarsOfAComparison(t *testing.T) {
	t.Parallel()
	bytes := func(v float64) Summary { return Summary{ServerBytesPerClient: is(v)} }
	c, err := Compare(0, sideOf("a", bytes(1000), bytes(2000), bytes(4000)), sideOf("b", bytes(8000)))
	if err != nil {
		t.Fatal(err)
	}
	f := families()[2]
	out := c.bars(f, c.family("memory"))
	want := []shape{{"blue bar", "M150.0 1000V750.0H472.0V1000Z"}, {"whisker", "M311.0 875.0V500.0"}, {"orange bar", "M500.0 1000V0.0H822.0V1000Z"}}
	if !slices.Equal(out.Shapes, want) {
		t.Errorf("shapes %q, want %q", out.Shapes, want)
	}
	wantRows(t, out, []string{"server|2.00 KB|8.00 KB"})
	if out.Y != "KB per client" || fmt.Sprint(out.XTicks) != "[{50.00 server}]" || fmt.Sprint(out.Keys) != "[{blue bar a} {orange bar b}]" {
		t.Errorf("axis %q, marks %v, keys %v", out.Y, out.XTicks, out.Keys)
	}
	if empty := c.bars(f, nil); len(empty.Shapes)+len(empty.Keys) > 0 {
		t.Errorf("bars of nothing: %+v", empty)
	}
	if got := fmt.Sprint(c.tally(1)); got != "{b 0 0 0 1}" {
		t.Errorf("tally %s, want one without a verdict", got)
	}
	for name, want := range map[string]string{"short": "short", "twelve chars": "twelve chars", "thirteen char": "thirteen ch…", "äöüäöüäöüäöüä": "äöüäöüäöüäö…"} {
		if got := brief(name); got != want {
			t.Errorf("brief(%s) = %s, want %s", name, got, want)
		}
	}
}

// The percentiles of a comparison are those that every run has.
func TestSharedPercents(t *testing.T) {
	t.Parallel()
	curve := func(points ...CurvePoint) *Result { return &Result{Curve: points} }
	c := &Comparison{sides: []Side{
		{Name: "a", Runs: []*Result{curve(CurvePoint{50, 1}, CurvePoint{90, 2}, CurvePoint{99, 3}), curve(CurvePoint{50, 3}, CurvePoint{90, 6})}},
		{Name: "b", Runs: []*Result{{Summary: Summary{LatencyMs: &Percentiles{P50: 7, P90: 8, P99: 9}}}, {}}},
	}}
	if got := fmt.Sprint(c.sharedPercents()); got != "[50 90]" {
		t.Errorf("shared are %s, want [50 90]: a run without any does not count", got)
	}
	wantRows(t, c.curves(), []string{"p50|2.00 ms|7.00 ms", "p90|4.00 ms|8.00 ms"})
}
