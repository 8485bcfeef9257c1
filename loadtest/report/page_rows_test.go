package report

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// The table of broadcasts shows each with its own figures; one that did not reach all is
// marked, unless all that is missing was missed by clients that were away.
func TestBroadcastRows(t *testing.T) {
	t.Parallel()
	whole := record.Broadcast{Seq: 1, AtMs: 1500, SendLateUs: 70, Expected: 1000, Delivered: 1000, FirstUs: 100, P50Us: 200, P99Us: 300, LastUs: 400}
	short := record.Broadcast{Seq: 2, AtMs: 2500, Expected: 1000, Delivered: 998}
	r := &Result{Broadcasts: []record.Broadcast{whole, short}}
	for _, test := range []struct {
		name       string
		lost, away *int64
		marked     bool
		of         string
	}{
		{"lost", is[int64](2), nil, true, "2 broadcasts"},
		{"not counted", nil, nil, true, "2 broadcasts"},
		{"missed while away", is[int64](0), is[int64](2), false, "2 broadcasts. Missing includes clients that were away"},
		{"some of both", is[int64](1), is[int64](1), true, "2 broadcasts. Missing includes clients that were away"},
	} {
		r.Summary.Lost, r.Summary.Away = test.lost, test.away
		rows, of := r.broadcastRows()
		want := broadcastRow{"#1", "1.5 s", "70.0 µs", "1,000", "0", "100 µs", "200 µs", "300 µs", "400 µs", false}
		if len(rows) != 2 || rows[0] != want || rows[1].Delivered != "998" || rows[1].Missing != "2" || rows[1].Short != test.marked || of != test.of {
			t.Errorf("%s: %q of %+v, want %+v, and the second marked: %t", test.name, of, rows, want, test.marked)
		}
	}
	many := &Result{}
	for i := range int64(maxBroadcastRows + 50) {
		many.Broadcasts = append(many.Broadcasts, record.Broadcast{Seq: i, Expected: 10, Delivered: 10 - i%3/2, LastUs: i})
	}
	rows, of := many.broadcastRows()
	if want := "200 of 250 broadcasts: the incomplete ones, then the slowest"; of != want || len(rows) != maxBroadcastRows {
		t.Errorf("%d rows: %q, want %d: %q", len(rows), of, maxBroadcastRows, want)
	}
	var names []string
	for _, i := range []int{0, 1, 82, 83, 84} {
		names = append(names, rows[i].Name)
	}
	if want := []string{"#248", "#245", "#2", "#249", "#247"}; !slices.Equal(names, want) {
		t.Errorf("the first two and the last three are %q, want %q", names, want)
	}
	if many.Broadcasts[0].Seq != 0 {
		t.Error("the broadcasts themselves were sorted: they are in order of time")
	}
}

// The page says which run it is of, on what machine, and how to repeat it.
func TestPageSaysWhichRunItIs(t *testing.T) {
	t.Parallel()
	r := &Result{
		Summary: with(wholeRun("soak"), func(s *Summary) {
			s.Errors = map[string]int64{"EOF": 1200, "b": 1}
			s.ServerProcesses = is[int64](3)
		}),
		Run: &record.Run{
			Start: "2026-11-30T23:00:00Z", Commit: "0123456789abcdef+dirty", Command: []string{"loadtest", "-slo", "p99<1s"}, Plan: []string{"first", "second"},
			Machine: record.Machine{CPU: "a CPU", Cores: 2, MemoryBytes: 8e9, OS: "Linux 6.12", Go: "go1.26"},
			Kernel:  []record.Setting{{Name: "fs.nr_open", Value: "7"}},
			Config:  map[string]any{"scenario": "soak", "for_ns": 6e10, "zipf": 1.},
		},
		Notes: []record.Note{{Level: "warn", AtMs: 1250, Message: "slow"}},
	}
	p := r.page()
	if want := "Load test soak, 100 clients"; p.Title != want {
		t.Errorf("title %q, want %q", p.Title, want)
	}
	if want := "2026-11-30T23:00:00Z · commit 0123456789ab+dirty · a CPU, 2 cores, 8.00 GB, Linux 6.12, go1.26"; p.Subtitle != want {
		t.Errorf("subtitle %q, want %q", p.Subtitle, want)
	}
	if want := "loadtest -slo 'p99<1s'"; p.Command != want || !slices.Equal(p.Plan, r.Run.Plan) {
		t.Errorf("command %q and plan %q, want %q", p.Command, p.Plan, want)
	}
	if want := "[{warn 1.2 s slow}]"; fmt.Sprint(p.Notes) != want {
		t.Errorf("notes %v, want %s", p.Notes, want)
	}
	want := []string{
		"Machine: CPU=a CPU cores=2 memory=8.00 GB system=Linux 6.12 Go=go1.26 server processes=3 client processes=not measured commit=0123456789abcdef+dirty start=2026-11-30T23:00:00Z",
		"Kernel settings: fs.nr_open=7",
		"Configuration: for=1m0s scenario=soak",
		"Errors: EOF=1,200 b=1",
	}
	for i, table := range p.Tables {
		var cells []string
		for _, row := range table.Rows {
			cells = append(cells, row.Name+"="+row.Value)
		}
		if got := table.Title + ": " + strings.Join(cells, " "); i >= len(want) || got != want[i] {
			t.Errorf("table %d is %s, want %s", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(p.Tables) != len(want) {
		t.Errorf("%d tables, want %d", len(p.Tables), len(want))
	}
	bare := (&Result{Summary: Summary{Scenario: "chat"}}).page()
	if bare.Title != "Load test" || bare.Subtitle != "" || len(bare.Tables) != 0 || bare.Command != "" || bare.OK {
		t.Errorf("the page of a run that says nothing: %+v", bare)
	}
}

// A scenario has the charts in which it has something to show, in an order that does not
// change.
func TestChartsOfScenarios(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, scenario, want string }{
		{"chat", "chat", "clients deliveries latency percentiles fanout memory cpu"},
		{"one that is not known", "juggle", "clients deliveries latency percentiles fanout memory cpu"},
		{"echo", "echo", "clients replies latency percentiles memory cpu"},
		{"idle", "idle", "clients heartbeats memory cpu"},
		{"storm", "storm", "clients back deliveries latency percentiles fanout memory cpu"},
		{"users", "app", "clients deliveries latency percentiles memory cpu"},
		{"watched", "chat", "clients deliveries latency percentiles fanout memory cpu generator"},
	} {
		s := wholeRun(test.scenario)
		switch test.name {
		case "echo":
			s.Echo = &Echo{}
		case "idle":
			s.Idle = &Idle{}
		case "storm":
			s.Comeback = &Comeback{}
		case "watched":
			s.Generator = &Generator{}
		}
		var ids []string
		for _, c := range (&Result{Summary: s}).charts() {
			ids = append(ids, c.ID)
		}
		if got := strings.Join(ids, " "); got != test.want {
			t.Errorf("%s: charts %s, want %s", test.name, got, test.want)
		}
	}
	silentUsers := silent("app")
	for _, c := range (&Result{Summary: silentUsers}).charts() {
		if c.ID == "deliveries" || c.ID == "latency" {
			t.Errorf("users who broadcast nothing have a chart of %s", c.ID)
		}
	}
}

// What was done to servers is marked on the charts, as long as it took.
func TestEventsOfActivities(t *testing.T) {
	t.Parallel()
	r := &Result{activities: []record.Activity{{Name: "storm", AtMs: 1000, Ms: 700}, {Name: "kill", AtMs: 5000, Ms: 9}, {Name: "echo", AtMs: 7000}}}
	if got, want := fmt.Sprint(r.events()), "[{1000 servers down} {1700 servers up again} {5000 server killed}]"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
}

// Rows of what is not usual are in the text of a run that has it, and in no other.
func TestRowsOfTheUnusual(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*Summary)
		row    string
	}{
		{"unreadable", func(s *Summary) { s.Unreadable = 1234 }, "\n  unreadable                       1,234\n"},
		{"missed while away", func(s *Summary) { s.Away = is[int64](1) }, "\n  while away                                        1\n"},
		{"late", func(s *Summary) { s.Late = is[int64](7) }, "\n  late                                 7\n"},
		{"TLS", func(s *Summary) { s.TLS = &Secured{5, 0} }, "\nTLS              handshakes      resumed\n                          5            0\n"},
	} {
		usual, unusual := &Result{Summary: wholeRun("chat")}, &Result{Summary: with(wholeRun("chat"), test.change)}
		for _, r := range []*Result{usual, unusual} {
			var text strings.Builder
			if err := r.WriteText(&text); err != nil {
				t.Fatal(err)
			}
			if got := strings.Contains(text.String(), test.row); got != (r == unusual) {
				t.Errorf("%s: row %q is in the text: %t\n%s", test.name, test.row, got, text.String())
			}
		}
	}
	if got := secured(&record.End{Secured: 5}); got == nil || *got != (Secured{5, 0}) {
		t.Errorf("TLS without a session of before is %+v, want 5 handshakes", got)
	}
	if got := secured(&record.End{}); got != nil {
		t.Errorf("no TLS is %+v", got)
	}
}

// A comparison warns of what differs and of runs that failed, and names the command of
// each side.
func TestComparisonWarns(t *testing.T) {
	t.Parallel()
	run := func(clients int64, s Summary) *Result {
		s.Clients, s.Joined = is(clients), is(clients)
		return &Result{Summary: s, Run: &record.Run{Start: "2026-11-30T23:00:00Z", Commit: "0123456789abcdef", Command: []string{"loadtest", "-event", "it's"}}}
	}
	lossy := with(wholeRun("chat"), func(s *Summary) { s.Lost = is[int64](2) })
	c, err := Compare(0, Side{"a", []*Result{run(100, wholeRun("chat"))}}, Side{"b", []*Result{run(200, lossy), run(200, wholeRun("chat"))}})
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := c.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"\nwarn  clients differs: a 100, b 200\n", "\nwarn  b, run 1: 2 lost\n"} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("no %q in\n%s", want, text.String())
		}
	}
	p := c.page()
	want := `[{a 1 run, commit 0123456789ab, 2026-11-30T23:00:00Z loadtest -event 'it'\''s'} {b 2 runs, commit 0123456789ab, 2026-11-30T23:00:00Z loadtest -event 'it'\''s'}]`
	if got := fmt.Sprint(p.Commands); got != want {
		t.Errorf("commands %s, want %s", got, want)
	}
	if got := fmt.Sprint(Side{"c", []*Result{{}}}.command()); got != "{c 1 run not recorded}" {
		t.Errorf("a side without records is %s", got)
	}
	if p.Title != "Comparison of a, b" || p.Subtitle != "Ratios and verdicts are against a." || len(p.Faults) != 1 || len(p.Differences) != 1 {
		t.Errorf("page %+v", p)
	}
}

// Too few runs tell nothing, and how many would is said.
func TestTooFewRuns(t *testing.T) {
	t.Parallel()
	joins := func(n int) (all []Summary) {
		for i := range n {
			s := wholeRun("chat")
			s.ConnectJoinPerSecond = is(float64(100 + i))
			all = append(all, s)
		}
		return all
	}
	for _, test := range []struct{ a, b, needed int }{{1, 1, 5}, {2, 2, 5}, {3, 3, 0}, {6, 6, 0}} {
		c, err := Compare(0, sideOf("a", joins(test.a)...), sideOf("b", joins(test.b)...))
		if err != nil {
			t.Fatal(err)
		}
		want := "[]"
		if test.needed > 0 {
			want = fmt.Sprintf("[too few runs to tell: with %d a side, even a single worse figure would show]", test.needed)
		}
		if got := fmt.Sprint(c.Untold()); got != want {
			t.Errorf("%d and %d runs: %s, want %s", test.a, test.b, got, want)
		}
	}
}

// A file holds what was written, or the error says why not; "-" is the standard output.
func TestWriteFile(t *testing.T) {
	hello := func(w io.Writer) error { _, err := io.WriteString(w, "hello"); return err }
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, []byte("something longer than that"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := WriteFile(path, hello); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(path); err != nil || string(text) != "hello" {
		t.Errorf("the file holds %q, %v", text, err)
	}
	broken := errors.New("broken")
	if err := WriteFile(path, func(io.Writer) error { return broken }); !errors.Is(err, broken) {
		t.Errorf("what fails to be written: %v", err)
	}
	if err := WriteFile(filepath.Join(path, "b"), hello); err == nil {
		t.Error("a file below a file is no error")
	}
	terminal, err := os.Create(filepath.Join(t.TempDir(), "terminal"))
	if err != nil {
		t.Fatal(err)
	}
	defer terminal.Close()
	was := os.Stdout
	os.Stdout = terminal
	err = WriteFile(Stdout, hello)
	os.Stdout = was
	if text, readErr := os.ReadFile(terminal.Name()); err != nil || readErr != nil || string(text) != "hello" {
		t.Errorf("the standard output got %q, %v, %v", text, err, readErr)
	}
	if _, err := os.Stat(Stdout); err == nil {
		t.Error("there is a file called -")
	}
}
