package report_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// ofMemory is a side whose runs differ in the server's memory alone.
func ofMemory(name string, bytes ...float64) report.Side {
	s := report.Side{Name: name}
	for _, b := range bytes {
		s.Runs = append(s.Runs, &report.Result{Summary: report.Summary{ServerBytesPerClient: &b}})
	}
	return s
}

// ofRate is a side whose runs differ in the connect rate alone.
func ofRate(name string, rates ...float64) report.Side {
	s := report.Side{Name: name}
	for _, r := range rates {
		s.Runs = append(s.Runs, &report.Result{Summary: report.Summary{ConnectJoinPerSecond: &r}})
	}
	return s
}

func compared(t *testing.T, alpha float64, sides ...report.Side) *report.Comparison {
	t.Helper()
	c, err := report.Compare(alpha, sides...)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// cell is of the last side.
func cell(t *testing.T, c *report.Comparison, family, name string) report.Cell {
	t.Helper()
	for _, l := range c.Lines {
		if l.Family == family && l.Name == name {
			return l.Cells[len(l.Cells)-1]
		}
	}
	t.Fatalf("no line %s %s", family, name)
	return report.Cell{}
}

func show(v *float64) string {
	if v == nil {
		return "nil"
	}
	return fmt.Sprintf("%.4g", *v)
}

func TestCompareVerdicts(t *testing.T) {
	for _, test := range []struct {
		name, family, line string
		alpha              float64
		first, other       report.Side
		ratio, p, verdict  string
	}{
		{"less memory", "memory", "server", 0, ofMemory("a", 700, 710, 720), ofMemory("b", 600, 690, 610), "0.8592", "0.1", "better"},
		{"more memory", "memory", "server", 0, ofMemory("a", 700, 710, 720), ofMemory("b", 721, 722, 723), "1.017", "0.1", "worse"},
		{"more a second", "rates", "connect and join", 0, ofRate("a", 10, 11, 12), ofRate("b", 13, 14, 15), "1.273", "0.1", "better"},
		{"fewer a second", "rates", "connect and join", 0, ofRate("a", 13, 14, 15), ofRate("b", 10, 11, 12), "0.7857", "0.1", "worse"},
		{"they overlap", "memory", "server", 0, ofMemory("a", 700, 710, 720), ofMemory("b", 719, 725, 730), "1.021", "0.2", "within noise"},
		{"the same", "memory", "server", 0, ofMemory("a", 7, 7, 7), ofMemory("b", 7, 7, 7), "1", "1", "within noise"},
		{"one run", "memory", "server", 0, ofMemory("a", 700), ofMemory("b", 70), "0.1", "nil", "one run: no verdict"},
		{"one run of many", "memory", "server", 0, ofMemory("a", 1, 2, 3, 4, 5, 6, 7, 8, 9), ofMemory("b", 70), "14", "nil", "one run: no verdict"},
		{"two runs", "memory", "server", 0, ofMemory("a", 700, 700), ofMemory("b", 70, 70, 70), "0.1", "nil", "2 runs: no verdict"},
		{"three cannot show that", "memory", "server", 0.05, ofMemory("a", 1, 2, 3), ofMemory("b", 7, 8, 9), "4", "nil", "3 runs: no verdict"},
		{"four can", "memory", "server", 0.05, ofMemory("a", 1, 2, 3, 4), ofMemory("b", 7, 8, 9, 10), "3.4", "0.02857", "worse"},
		{"from nothing", "memory", "server", 0, ofMemory("a", 0, 0, 0), ofMemory("b", 7, 8, 9), "nil", "0.1", "worse"},
		{"not measured", "memory", "server", 0, ofRate("a", 1, 2, 3), ofMemory("b", 7, 8, 9), "nil", "nil", "not measured"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := compared(t, test.alpha, test.first, test.other)
			got := cell(t, c, test.family, test.line)
			if show(got.Ratio) != test.ratio || show(got.P) != test.p || got.Verdict != test.verdict {
				t.Errorf("ratio, p, verdict = %s, %s, %q, want %s, %s, %q", show(got.Ratio), show(got.P), got.Verdict, test.ratio, test.p, test.verdict)
			}
			if got, want := c.AnyWorse(), test.verdict == report.Worse; got != want {
				t.Errorf("AnyWorse = %v, want %v", got, want)
			}
		})
	}
}

// A broadcast is judged by the median one of each run; those that reached
// nobody took no time at all and do not count.
func TestCompareBroadcasts(t *testing.T) {
	r := &report.Result{Broadcasts: []record.Broadcast{
		{Delivered: 1, FirstUs: 10, P50Us: 100, P99Us: 1000, LastUs: 5000},
		{Delivered: 0},
		{Delivered: 1, FirstUs: 20, P50Us: 900, P99Us: 9000, LastUs: 7000},
		{Delivered: 1, FirstUs: 90, P50Us: 200, P99Us: 2000, LastUs: 6000},
	}}
	c := compared(t, 0, ofRate("a", 1), report.Side{Name: "b", Runs: []*report.Result{r}})
	for name, want := range map[string]string{"first": "20", "p50": "200", "p99": "2000", "last": "6000"} {
		if got := show(cell(t, c, "broadcast", name).Median); got != want {
			t.Errorf("%s = %s, want %s", name, got, want)
		}
	}
}

func TestCompareErrors(t *testing.T) {
	a, b := ofRate("a", 1), ofRate("b", 1)
	for _, test := range []struct {
		name  string
		alpha float64
		sides []report.Side
		want  string
	}{
		{"one side", 0, []report.Side{a}, "compare: 1 sides: want 2 to 6"},
		{"seven sides", 0, make([]report.Side, 7), "compare: 7 sides: want 2 to 6"},
		{"same name", 0, []report.Side{a, a}, `compare: two sides are called "a"`},
		{"no name", 0, []report.Side{a, ofRate("", 1)}, "compare: a side has no name"},
		{"no runs", 0, []report.Side{a, {Name: "b"}}, `compare: side "b" has no runs`},
		{"alpha", 1, []report.Side{a, b}, "compare: alpha 1: want more than 0 and less than 1"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := report.Compare(test.alpha, test.sides...)
			if err == nil || err.Error() != test.want {
				t.Errorf("Compare = %v, want %s", err, test.want)
			}
		})
	}
}

func TestCompareDifferences(t *testing.T) {
	other := fixture(t)
	for _, r := range other {
		if r.Run != nil {
			r.Run.Commit = "0123456789abcdef+dirty"
			r.Run.Config["rate"] = 7
			r.Run.Machine.Cores = 64
			r.Run.Kernel = append(r.Run.Kernel, record.Setting{Name: "net.ours", Value: "1"})
		}
	}
	e := end(t, other)
	e.Clients, e.ServerProcs = 20_000, 3
	same := newResult(t, fixture(t))
	c := compared(t, 0, report.Side{Name: "a", Runs: []*report.Result{same, same}},
		report.Side{Name: "b", Runs: []*report.Result{same, newResult(t, other)}})
	got := map[string]string{}
	for _, d := range c.Differences {
		got[d.Name] = strings.Join(d.Values, "; ")
	}
	for name, want := range map[string]string{
		"clients":          "10,000; 10,000 or 20,000",
		"commit":           "4be1f0a27c9d; 4be1f0a27c9d or 0123456789ab+dirty",
		"cores":            "2; 2 or 64",
		"rate":             "not recorded; not recorded or 7",
		"server processes": "1; 1 or 3",
		"net.ours":         "not recorded; not recorded or 1",
	} {
		if got[name] != want {
			t.Errorf("difference %q = %q, want %q", name, got[name], want)
		}
		delete(got, name)
	}
	if len(got) > 0 {
		t.Errorf("further differences %v, want none", got)
	}
	if want := "b, run 2: 10,000 of 20,000 clients joined"; !slices.Contains(c.Faults, want) {
		t.Errorf("Faults = %q, want %q among them", c.Faults, want)
	}
}

// rounds are runs of the fixture that differ in memory.
func rounds(t *testing.T, name string, bytes ...float64) report.Side {
	t.Helper()
	s := report.Side{Name: name}
	for _, b := range bytes {
		r := newResult(t, fixture(t))
		r.Summary.ServerBytesPerClient = &b
		s.Runs = append(s.Runs, r)
	}
	return s
}

func comparisonPage(t *testing.T, c *report.Comparison) string {
	t.Helper()
	var out strings.Builder
	if err := c.WriteHTML(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestComparisonText(t *testing.T) {
	c := compared(t, 0, rounds(t, "old", 1500, 1600, 1700), rounds(t, "a new name that is long", 800, 700, 900))
	c.Notes = []string{"Neither side was tuned. Each ran with the settings that its authors recommend for production.", "Nothing else."}
	var out strings.Builder
	if err := c.WriteText(&out); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"old: 3 runs\na new name that is long: 3 runs, compared with old\n",
		"\n                            old a new name …   ratio  verdict\n",
		"\nMemory per client\n  server                1.60 KB        800 B   ×0.50  better, p=0.1 *\n  client ",
		"\n  lost                        0            0       –  within noise, p=1\n",
		"\nTest: Mann-Whitney U, two-sided, exact; a difference counts as better or worse\nif p is at most 0.1.\nWith 3 runs a side, p cannot fall below 0.1,",
		"\nVerdicts of better or worse: 1 of 1, each by its own p; chance alone would\nproduce up to 0.1.\n",
		"\nWhat to know\n- Neither side was tuned. Each ran with the settings that its authors recommend\n  for production.\n- Nothing else.\n",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("text = %s\nwant %q in it", out.String(), want)
		}
	}
	for line := range strings.Lines(out.String()) {
		if len([]rune(line)) > 81 {
			t.Errorf("line %q is wider than 80 columns", line)
		}
	}
}

func TestComparisonPage(t *testing.T) {
	one := compared(t, 0, rounds(t, "old", 1500), ofMemory(`<script>"&`, 800))
	six := compared(t, 0, rounds(t, "a", 1500, 1600, 1700), rounds(t, "b", 700, 800, 900), rounds(t, "c", 2e3, 2e3, 3e3),
		rounds(t, "d", 1), rounds(t, "e", 1), rounds(t, "f", 1))
	nothing := compared(t, 0, ofMemory("a", 0), ofRate("b", 0))
	for name, c := range map[string]*report.Comparison{"one run": one, "six sides": six, "nothing": nothing} {
		t.Run(name, func(t *testing.T) {
			page := comparisonPage(t, c)
			wantWellFormed(t, page)
			wantAlone(t, page)
		})
	}
	page := comparisonPage(t, six)
	for _, want := range []string{"<strong>b</strong>: 1 better, 0 worse,", "<strong>c</strong>: 0 better, 1 worse,",
		`<small class="better"><span>×0.50</span> <span>better, p=0.1 *</span></small>`, "1.50 KB to 1.70 KB", `class="olive bar"`} {
		if !strings.Contains(page, want) {
			t.Errorf("HTML does not contain %q", want)
		}
	}
	for _, id := range []string{"rates", "cpu", "memory", "broadcast", "latency", "percentiles", "join"} {
		_, figure, _ := strings.Cut(page, `<figure class="panel" id="`+id+`">`)
		figure, _, _ = strings.Cut(figure, "</figure>")
		if strings.Count(figure, " d=\"M") < 6 {
			t.Errorf("chart %q lacks a side: %s", id, figure)
		}
	}
}

// JSON of before there was a curve has four percentiles; the overlay is of
// what all runs have.
func TestCurvesOfOldJSON(t *testing.T) {
	old := newResult(t, fixture(t))
	old.Curve = nil
	page := comparisonPage(t, compared(t, 0, report.Side{Name: "old", Runs: []*report.Result{old}}, rounds(t, "new", 1)))
	_, figure, _ := strings.Cut(page, `id="percentiles"`)
	figure, _, _ = strings.Cut(figure, "</figure>")
	if got := regexp.MustCompile(`<th scope="row">(p[0-9.]+)</th>`).FindAllStringSubmatch(figure, -1); len(got) != 4 || got[3][1] != "p99.9" {
		t.Errorf("rows = %q, want p50, p90, p99 and p99.9", got)
	}
}

func TestComparisonJSON(t *testing.T) {
	c := compared(t, 0, rounds(t, "old", 1500, 1600), rounds(t, "new", 800, 700))
	var out bytes.Buffer
	if err := c.WriteJSON(&out); err != nil {
		t.Fatal(err)
	}
	var got report.Comparison
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	if got.Schema != 1 || got.Alpha != report.DefaultAlpha || len(got.Sides) != 2 || got.Sides[1].Runs[1].Start != "2026-03-14T09:26:53Z" {
		t.Errorf("JSON = %s", out.Bytes())
	}
	if v := cell(t, &got, "memory", "server"); !slices.Equal(v.Runs, []float64{800, 700}) || show(v.Median) != "750" {
		t.Errorf("server memory = %v, median %s, want both runs and 750", v.Runs, show(v.Median))
	}
	for _, want := range []string{`"differences": []`, `"faults": []`, `"notes": []`, `"better": "lower"`} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("JSON does not contain %s", want)
		}
	}
}

func TestComparisonWriteErrors(t *testing.T) {
	c := compared(t, 0, ofRate("a", 1), ofRate("b", 1))
	for name, err := range map[string]error{
		"JSON": c.WriteJSON(fullDisk{}), "text": c.WriteText(fullDisk{}), "HTML": c.WriteHTML(fullDisk{}),
	} {
		if !errors.Is(err, errFull) {
			t.Errorf("Write %s = %v, want %v", name, err, errFull)
		}
	}
}
