package report_test

import (
	"bytes"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// sweep is the search of a knee at 100, with two runs at each side of it.
func sweep(t *testing.T, suspect bool) *report.Sweep {
	t.Helper()
	g := watched(t)
	if suspect {
		g.Hosts[0].BusyNs = 20e9
	}
	run := func(value float64, fails ...string) report.Trial {
		r := newResult(t, append(fixture(t), record.Record{Generator: g}))
		for _, f := range fails {
			is := 431.0
			r.Judge([]report.Threshold{{Text: f, Value: &is, Shown: "431ms"}})
		}
		return report.TrialOf(value, r)
	}
	return &report.Sweep{
		Start: "2026-11-30T13:00:00Z", Command: []string{"loadtest", "knee", "-slo", "p99<200ms"}, Vary: "rate", SLO: "p99<200ms",
		Trials: []report.Trial{run(50), run(100), run(110, "p99<200ms"), run(100), run(110, "p99<200ms"), report.TrialOf(1000, nil, "too many clients")},
		Holds:  &report.SweepPoint{Value: 100, Held: 2, Runs: 2, From: 0.34, To: 1},
		Breaks: &report.SweepPoint{Value: 110, Held: 0, Runs: 2, From: 0, To: 0.66},
		Sure:   true,
	}
}

func TestSweepSaysWhatWasFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		but  func(*report.Sweep)
		want []string
		not  string
	}{
		{"found", func(*report.Sweep) {}, []string{
			"The knee: a rate of 100 holds, a rate of 110 does not",
			"a rate of 100: 2 of 2 runs held; so between 34% and 100% of all would (95% confidence)",
			"what broke there: p99<200ms (2 of 2 runs)",
			"p99<200ms: it is 431ms",
			"too many clients",
			"the generator was ok in the runs that broke at the border; bottleneck: none: waiting",
		}, "suspect"},
		{"all holds", func(s *report.Sweep) { s.Breaks = nil }, []string{"All holds: a rate of 100 held in 2 of 2 runs, and more was not tried"}, "The knee"},
		{"nothing holds", func(s *report.Sweep) { s.Holds = nil }, []string{"Nothing holds: a rate of 110 broke in 2 of 2 runs"}, "The knee"},
		{"nothing was run", func(s *report.Sweep) { s.Holds, s.Breaks, s.Trials = nil, nil, nil }, []string{"Nothing is known"}, "The knee"},
		{"interrupted", func(s *report.Sweep) { s.Sure, s.Ended = false, "interrupted" }, []string{"ended early, interrupted: these are the results so far"}, "not confirmed"},
		{"bounded", func(s *report.Sweep) { s.Sure = false }, []string{"the border was not confirmed"}, "ended early"},
		{"by clients", func(s *report.Sweep) { s.Vary = "clients" }, []string{"The knee: 100 clients holds, 110 clients does not"}, "a rate"},
	} {
		s := sweep(t, false)
		test.but(s)
		var text, page bytes.Buffer
		if s.WriteText(&text) != nil || s.WriteHTML(&page) != nil {
			t.Fatal("cannot write")
		}
		wantWellFormed(t, page.String())
		plain := strings.Join(strings.Fields(text.String()), " ")
		for _, want := range test.want {
			if !strings.Contains(plain, want) || !strings.Contains(strings.ReplaceAll(page.String(), "&lt;", "<"), want) {
				t.Errorf("%s: no %q in text or page:\n%s", test.name, want, text.String())
			}
		}
		if strings.Contains(plain, test.not) {
			t.Errorf("%s: %q in\n%s", test.name, test.not, text.String())
		}
	}
}

// Each run that broke says each clause that it missed with what it was instead, and
// each failure; the border says how many runs each was in.
func TestSweepSaysWhyRunsBroke(t *testing.T) {
	t.Parallel()
	s := sweep(t, false)
	both := s.Trials[2]
	both.Why, both.Missed = []string{"3 lost"}, append(both.Missed, report.Threshold{Text: "join<1s"})
	s.Trials[2] = both
	for _, test := range []struct{ trial, want string }{
		{s.Trials[0].Reason(), ""},
		{s.Trials[2].Reason(), "3 lost; p99<200ms: it is 431ms; join<1s: not measured"},
		{s.Trials[4].Reason(), "p99<200ms: it is 431ms"},
		{s.Trials[5].Reason(), "too many clients"},
	} {
		if test.trial != test.want {
			t.Errorf("Reason() = %q, want %q", test.trial, test.want)
		}
	}
	const want = "what broke there: p99<200ms (2 of 2 runs), 3 lost (1 of 2 runs), join<1s (1 of 2 runs)"
	if got := s.Remarks(); !slices.Contains(got, want) {
		t.Errorf("Remarks() = %q, want %q in it", got, want)
	}
}

// A run whose records have no end says so, and nothing of what it could not measure.
func TestSweepOfARunWithoutAnEnd(t *testing.T) {
	t.Parallel()
	r := newResult(t, fixture(t)[:1])
	r.Judge([]report.Threshold{{Text: "p99<200ms"}})
	if got := report.TrialOf(5, r); got.Held || got.Reason() != "the records stop before the end of the run: there are no totals" {
		t.Errorf("TrialOf() = %+v", got)
	}
}

// A knee that is the generator's is not said to be the server's.
func TestSweepOfASuspectGenerator(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	if err := sweep(t, true).WriteText(&text); err != nil {
		t.Fatal(err)
	}
	want := "the limit is the generator's, or that of the host it shares, rather than the server's: it was suspect in 2 of the 2 runs that broke at the border; bottleneck: other programs"
	if !strings.Contains(strings.Join(strings.Fields(text.String()), " "), want) {
		t.Errorf("no %q in\n%s", want, text.String())
	}
}

// The page has a dot for each run that has latencies, and the JSON has all of it.
func TestSweepIsWhole(t *testing.T) {
	t.Parallel()
	s := sweep(t, false)
	var page, doc bytes.Buffer
	if s.WriteHTML(&page) != nil || s.WriteJSON(&doc) != nil {
		t.Fatal("cannot write")
	}
	dots := 0
	for _, path := range regexp.MustCompile(`class="(?:blue|orange) dot" d="([^"]*)"`).FindAllStringSubmatch(page.String(), -1) {
		dots += strings.Count(path[1], "M")
	}
	if dots != 5 {
		t.Errorf("%d dots, want 5: one run was not made", dots)
	}
	if n := strings.Count(page.String(), `<tr class="short">`); n != 3 {
		t.Errorf("%d rows of runs that broke, want 3", n)
	}
	var again report.Sweep
	if err := json.Unmarshal(doc.Bytes(), &again); err != nil || again.Schema != report.SweepSchema || len(again.Trials) != 6 || again.Holds.Value != 100 || again.Breaks.Runs != 2 {
		t.Errorf("JSON: %v, %+v", err, again)
	}
	if last := again.Trials[5]; last.Held || last.P99Ms != nil || last.Why[0] != "too many clients" {
		t.Errorf("a run that was not made is %+v", last)
	}
	for _, write := range []func() error{func() error { return s.WriteText(fullDisk{}) }, func() error { return s.WriteHTML(fullDisk{}) }, func() error { return s.WriteJSON(fullDisk{}) }} {
		if write() == nil {
			t.Error("a full disk is no error")
		}
	}
}

// Numbers are shown as a flag takes them, without an exponent.
func TestNumbersOfTrials(t *testing.T) {
	t.Parallel()
	for value, want := range map[float64]string{
		1: "1", 100: "100", 1_000_000: "1000000", 0.5: "0.5", 12.3456: "12.35", 123.456: "123.5", 999.96: "1000", 1234.5: "1234", 12345.6: "12346", 1e7 + 0.5: "10000000",
	} {
		if got := (report.Trial{Value: value}).Number(); got != want {
			t.Errorf("%v is shown as %s, want %s", value, got, want)
		}
	}
}

// A trial is a line: its number, its outcome, its latencies, and what was in its way.
func TestTrialInALine(t *testing.T) {
	t.Parallel()
	ms := func(v float64) *float64 { return &v }
	for _, test := range []struct {
		trial report.Trial
		want  string
	}{
		{report.Trial{Value: 100, Held: true, P50Ms: ms(1.5), P99Ms: ms(20)}, "100 holds p50 1.50 ms p99 20.0 ms"},
		{report.Trial{Value: 2.5, P99Ms: ms(2000), Suspect: true}, "2.5 broke p50 not measured p99 2.00 s generator suspect"},
		{report.Trial{Value: 7, Bottleneck: "server CPU"}, "7 broke p50 not measured p99 not measured server CPU"},
		{report.Trial{Value: 7, Held: true, Suspect: true, Bottleneck: "link"}, "7 holds p50 not measured p99 not measured generator suspect link"},
	} {
		if got := strings.Join(strings.Fields(test.trial.String()), " "); got != test.want {
			t.Errorf("%+v in a line: %q, want %q", test.trial, got, test.want)
		}
	}
}

// The limit is said to be the generator's if that was suspect in most of the runs that
// broke at the border; others do not count.
func TestWhoseLimitItIs(t *testing.T) {
	t.Parallel()
	broke := func(value float64, suspect bool, bottleneck string) report.Trial {
		return report.Trial{Value: value, Suspect: suspect, Bottleneck: bottleneck}
	}
	const ok = "the generator was ok in the runs that broke at the border"
	for _, test := range []struct {
		name   string
		trials []report.Trial
		want   string
	}{
		{"none suspect", []report.Trial{broke(110, false, "server CPU"), broke(110, false, "server CPU")}, ok + "; bottleneck: server CPU"},
		{"no bottleneck is known", []report.Trial{broke(110, false, "")}, ok},
		{"the most frequent bottleneck", []report.Trial{broke(110, false, "link"), broke(110, false, "memory"), broke(110, false, "memory")}, ok + "; bottleneck: memory"},
		{"the first of equally frequent ones", []report.Trial{broke(110, false, "link"), broke(110, false, "memory")}, ok + "; bottleneck: link"},
		{"half of them", []report.Trial{broke(110, true, ""), broke(110, false, "")}, "the generator was suspect in 1 of the 2 runs that broke at the border"},
		{"most of them", []report.Trial{broke(110, true, "client CPU"), broke(110, true, ""), broke(110, false, "")},
			"the limit is the generator's, or that of the host it shares, rather than the server's: it was suspect in 2 of the 3 runs that broke at the border; bottleneck: client CPU"},
		{"elsewhere, or where it held", []report.Trial{broke(120, true, "link"), {Value: 110, Held: true, Suspect: true, Bottleneck: "link"}, broke(110, false, "")}, ok},
		{"nothing broke at the border", []report.Trial{broke(120, true, "")}, ""},
	} {
		s := report.Sweep{Vary: "rate", Breaks: &report.SweepPoint{Value: 110, Runs: 3}, Sure: true, Trials: test.trials}
		got := ""
		for _, remark := range s.Remarks() {
			if strings.Contains(remark, "generator") {
				got = remark
			}
		}
		if got != test.want {
			t.Errorf("%s: %q, want %q", test.name, got, test.want)
		}
	}
}

// Runs are listed by their number, those of one number as they were made.
func TestSweepListsRunsInOrder(t *testing.T) {
	t.Parallel()
	s := report.Sweep{Vary: "clients", SLO: "lost=0", Trials: []report.Trial{
		{Value: 30, Why: []string{"first"}}, {Value: 10, Held: true}, {Value: 30, Held: true}, {Value: 20, Held: true}, {Value: 30, Why: []string{"third"}},
	}}
	var text bytes.Buffer
	if err := s.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	var got []string
	for line := range strings.Lines(text.String()) {
		if fields := strings.Fields(line); len(fields) > 1 && (fields[1] == "holds" || fields[1] == "broke") {
			got = append(got, fields[0]+" "+fields[1])
		}
	}
	if want := []string{"10 holds", "20 holds", "30 broke", "30 holds", "30 broke"}; !slices.Equal(got, want) || strings.Index(text.String(), "first") > strings.Index(text.String(), "third") {
		t.Errorf("runs %q, want %q:\n%s", got, want, text.String())
	}
	if s.Trials[0].Value != 30 {
		t.Error("the runs themselves were sorted: they are as they were made")
	}
}
