package report_test

import (
	"encoding/xml"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// junit is what a pipeline reads of a run.
type junit struct {
	Name     string `xml:"name,attr"`
	Tests    int    `xml:"tests,attr"`
	Failures int    `xml:"failures,attr"`
	Skipped  int    `xml:"skipped,attr"`
	Time     string `xml:"time,attr"`
	Cases    []struct {
		Class   string `xml:"classname,attr"`
		Name    string `xml:"name,attr"`
		Failure *struct {
			Message string `xml:"message,attr"`
		} `xml:"failure"`
		Skipped *struct{} `xml:"skipped"`
	} `xml:"testcase"`
}

func readJUnit(t *testing.T, r *report.Result) (j junit) {
	t.Helper()
	var out strings.Builder
	if err := r.WriteJUnit(&out); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(out.String(), "<?xml") {
		t.Errorf("it begins with %.20q, want the declaration", out.String())
	}
	if err := xml.Unmarshal([]byte(out.String()), &j); err != nil {
		t.Fatal(err)
	}
	return j
}

// failures are the names of the cases that fail, with why.
func (j junit) failures() map[string]string {
	failed := make(map[string]string)
	for _, c := range j.Cases {
		if c.Failure != nil {
			failed[c.Name] = c.Failure.Message
		}
	}
	return failed
}

func TestJUnit(t *testing.T) {
	t.Parallel()
	value := 3.0
	good := newResult(t, fixture(t))
	good.Judge([]report.Threshold{{Text: "p99<500ms", Value: &value, Shown: "3ms", Met: true}})
	if j := readJUnit(t, good); j.Name != "loadtest.chat" || j.Tests != len(j.Cases) || j.Tests < 8 || j.Failures+j.Skipped != 0 || len(j.failures()) != 0 || j.Time == "0" {
		t.Errorf("a good run: %+v, want a suite whose cases all pass", j)
	}
	var records []record.Record
	for _, r := range fixture(t) {
		if r.End != nil {
			end := *r.End
			end.Lost, end.Delivered = 3, end.Expected-3
			end.Errors = map[string]int64{`join "refused" <&`: 2}
			r.End = &end
		}
		records = append(records, r)
	}
	bad := newResult(t, records)
	bad.Judge([]report.Threshold{{Text: "p99<1ms", Value: &value, Shown: "3ms"}, {Text: "cpu<1us"}})
	j := readJUnit(t, bad)
	failed := j.failures()
	for name, want := range map[string]string{
		"none lost": "3 lost", "all messages delivered": " messages delivered", "no errors": `2 errors: 2 × join "refused" <&`,
		"p99<1ms": "p99<1ms: it is 3ms", "cpu<1us": "cpu<1us: not measured",
	} {
		if !strings.Contains(failed[name], want) {
			t.Errorf("%s fails with %q, want %q", name, failed[name], want)
		}
	}
	if j.Failures != 5 || len(failed) != 5 {
		t.Errorf("%d failures, in cases %v, want 5", j.Failures, failed)
	}
}

// A run that died has one case, and fails; one that was interrupted has no failure
// for what it could not come to.
func TestJUnitOfPartOfARun(t *testing.T) {
	t.Parallel()
	if j := readJUnit(t, newResult(t, nil)); j.Tests != 1 || j.Failures != 1 {
		t.Errorf("no records: %+v, want one case that fails", j)
	}
	records := []record.Record{{End: &record.End{Interrupted: true, Clients: 5, Joined: 3}}}
	r := newResult(t, records)
	r.Judge([]report.Threshold{{Text: "p99<1ms"}})
	if j := readJUnit(t, r); j.Failures != 0 || j.Skipped != 1 || j.Time != "0.000" {
		t.Errorf("interrupted: %+v, want no failure, and the threshold skipped", j)
	}
	if err := r.WriteJUnit(fullDisk{}); err == nil {
		t.Error("a full disk is no error")
	}
}

// What JUnit says is what the verdict says.
func TestJUnitAgreesWithTheVerdict(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*record.End){
		"good": func(*record.End) {}, "missing": func(e *record.End) { e.Joined-- }, "lost": func(e *record.End) { e.Lost = 1 },
		"twice": func(e *record.End) { e.Duplicated = 1 }, "reordered": func(e *record.End) { e.Reordered = 1 },
		"short": func(e *record.End) { e.Delivered-- }, "error": func(e *record.End) { e.Errors = map[string]int64{"x": 1} },
	} {
		var records []record.Record
		for _, r := range fixture(t) {
			if r.End != nil {
				end := *r.End
				change(&end)
				r.End = &end
			}
			records = append(records, r)
		}
		r := newResult(t, records)
		ok, reasons := report.Verdict(r.Summary)
		if j := readJUnit(t, r); ok != (j.Failures == 0) || len(reasons) != j.Failures {
			t.Errorf("%s: verdict %v %q, JUnit %v", name, ok, reasons, j.failures())
		}
	}
}
