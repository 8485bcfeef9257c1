package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A missed threshold is in every report, and so is one that was met.
func TestThresholdsAreReported(t *testing.T) {
	r := newResult(t, fixture(t))
	ms := 38.495
	r.Judge([]report.Threshold{
		{Text: "p99<30ms", Value: &ms, Shown: "38.495ms"},
		{Text: "p99<1s", Value: &ms, Shown: "38.495ms", Met: true},
		{Text: "back99<1s"},
	})
	ok, reasons := report.Verdict(r.Summary)
	if want := []string{"2 of 3 thresholds missed: p99<30ms, back99<1s"}; ok || !slices.Equal(reasons, want) {
		t.Errorf("Verdict = %v, %q, want false, %q", ok, reasons, want)
	}
	for name, test := range map[string]struct {
		out  string
		want []string
	}{
		"text": {text(t, r), []string{"\nFAIL  2 of 3 thresholds missed", "\nMISS  p99<30ms: it is 38.495ms\nmet   p99<1s: it is 38.495ms\nMISS  back99<1s: not measured\n"}},
		"HTML": {html(t, r), []string{`class="verdict bad"`, "<strong>Failed</strong>", `<span class="level error">missed</span> p99&lt;30ms: it is 38.495ms`, `<span class="level met">met</span> p99&lt;1s`}},
		"JSON": {document(t, readBack(t, r)), []string{`"ok": false`, `"2 of 3 thresholds missed: `, `"value": 38.495`, `"value": null`, `"met": true`}},
	} {
		for _, want := range test.want {
			if !strings.Contains(test.out, want) && !strings.Contains(test.out, strings.ReplaceAll(want, "<", `\u003c`)) {
				t.Errorf("%s lacks %q: %s", name, want, test.out)
			}
		}
	}
}

// What was not measured because a run was interrupted does not make it fail.
func TestThresholdsOfAnInterruptedRun(t *testing.T) {
	r := newResult(t, []record.Record{{End: &record.End{Interrupted: true, Clients: 5, Joined: 5}}})
	r.Judge([]report.Threshold{{Text: "p99<30ms"}})
	if ok, reasons := report.Verdict(r.Summary); !ok {
		t.Errorf("Verdict = false, %q, want true", reasons)
	}
}
