package report_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// stepped is a run of a scenario file with some failures.
func stepped(t *testing.T, failed map[string]int64) *report.Result {
	t.Helper()
	r, err := report.New([]record.Record{
		{Run: &record.Run{Schema: record.Schema, Config: map[string]any{"scenario": "app"}}},
		{Step: &record.Step{Name: "join room", What: "join", OK: 50}},
		{Step: &record.Step{Name: "push say", What: "reply", OK: 97, Failed: failed, Latency: histogram(t, upTo(100)...)}},
		{End: &record.End{Clients: 50, Joined: 50, Expected: 500, Delivered: 500, Latency: histogram(t, upTo(10)...)}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Steps are in all reports, and their failures are why a run has failed.
func TestSteps(t *testing.T) {
	for _, test := range []struct {
		failed map[string]int64
		ok     bool
		want   []string
	}{
		{nil, true, []string{
			"\nsteps                    ok       failed          p50          p99          max\n  join room: join        50            0\n  push say: reply        97            0      50.0 ms      99.0 ms       100 ms\n",
			"\nOK    147 steps of 50 users succeeded; all 500 broadcasts owed to them were delivered, each once\n",
		}},
		{map[string]int64{"no reply in 2s": 1, "error: overloaded": 2}, false, []string{
			"\n  push say: reply        97            3      50.0 ms      99.0 ms       100 ms\n",
			"\nFAIL  push say (reply): 3 of 100 failed: 2 × error: overloaded, 1 × no reply in 2s\n",
		}},
	} {
		r := stepped(t, test.failed)
		if ok, reasons := report.Verdict(r.Summary); ok != test.ok {
			t.Errorf("verdict %t: %q, want %t", ok, reasons, test.ok)
		}
		var text, page, figures bytes.Buffer
		for _, err := range []error{r.WriteText(&text), r.WriteHTML(&page), r.WriteJSON(&figures)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, want := range test.want {
			if !strings.Contains(text.String(), want) {
				t.Errorf("the text lacks %q:\n%s", want, text.String())
			}
		}
		if strings.Contains(text.String(), "fan-out") || !strings.Contains(page.String(), "push say: reply") {
			t.Errorf("a table of single broadcasts, or none of steps:\n%s", text.String())
		}
		var got struct{ Summary struct{ Steps []report.Step } }
		if err := json.Unmarshal(figures.Bytes(), &got); err != nil || len(got.Summary.Steps) != 2 || got.Summary.Steps[1].LatencyMs.P50 != 50.015 && got.Summary.Steps[1].LatencyMs.P50 != 50 {
			t.Errorf("JSON has steps %+v, %v", got.Summary.Steps, err)
		}
	}
}

// A run in which nothing came of any step is none.
func TestStepsThatCameToNothing(t *testing.T) {
	r, err := report.New([]record.Record{
		{Run: &record.Run{Schema: record.Schema, Config: map[string]any{"scenario": "app"}}},
		{Step: &record.Step{Name: "push say", What: "reply"}},
		{End: &record.End{Clients: 1, Joined: 1}},
	})
	if err != nil {
		t.Fatal(err)
	}
	if ok, reasons := report.Verdict(r.Summary); ok || !strings.Contains(strings.Join(reasons, "\n"), "no step succeeded") {
		t.Errorf("verdict %t: %q", ok, reasons)
	}
}

// Users who send when they are free are never late: there is one latency, and what it
// cannot see is said. With a rate there are two.
func TestStepsInAClosedLoop(t *testing.T) {
	t.Parallel()
	for _, closed := range []bool{false, true} {
		r, err := report.New([]record.Record{
			{Run: &record.Run{Schema: record.Schema, Config: map[string]any{"scenario": "app"}}},
			{Step: &record.Step{Name: "push say", What: "broadcast", OK: 10}},
			{End: &record.End{Clients: 1, Joined: 1, Expected: 10, Delivered: 10, ClosedLoop: closed, Latency: histogram(t, slices.Repeat([]int64{900}, 2000)...), RawLatency: histogram(t, slices.Repeat([]int64{500}, 2000)...)}},
		})
		if err != nil {
			t.Fatal(err)
		}
		var text, page bytes.Buffer
		for _, err := range []error{r.WriteText(&text), r.WriteHTML(&page)} {
			if err != nil {
				t.Fatal(err)
			}
		}
		for _, row := range []struct {
			label string
			one   bool
		}{{"send to receipt", true}, {"coordinated omission", true}, {"intended send", false}, {"actual send", false}} {
			if strings.Contains(strings.Join(strings.Fields(text.String()), " "), row.label) != (row.one == closed) {
				t.Errorf("closed loop %t: %q in the text: %t:\n%s", closed, row.label, row.one != closed, text.String())
			}
		}
		if strings.Contains(page.String(), "from the actual send") == closed {
			t.Errorf("closed loop %t: the page has the wrong curves", closed)
		}
		if s := r.Summary; (s.RawLatencyMs == nil) != closed || s.LatencyMs == nil || closed != (s.LatencyMs.Max < 0.6) {
			t.Errorf("closed loop %t: latencies %+v and %+v", closed, s.LatencyMs, s.RawLatencyMs)
		}
	}
}
