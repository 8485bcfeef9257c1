package report_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

func TestVerdict(t *testing.T) {
	for _, test := range []struct {
		name    string
		end     record.End
		ok      bool
		reasons []string
	}{
		{"all well", record.End{Clients: 5, Joined: 5, Expected: 10, Delivered: 10}, true, nil},
		{"a client short", record.End{Clients: 5, Joined: 4, Expected: 8, Delivered: 8}, false,
			[]string{"4 of 5 clients joined"}},
		{"lost", record.End{Clients: 5, Joined: 5, Expected: 5000, Delivered: 4999, Lost: 1}, false,
			[]string{"4,999 of 5,000 messages delivered", "1 lost"}},
		{"too many", record.End{Clients: 5, Joined: 5, Expected: 10, Delivered: 11, Duplicated: 1}, false,
			[]string{"11 of 10 messages delivered", "1 duplicated"}},
		{"out of order", record.End{Clients: 5, Joined: 5, Expected: 10, Delivered: 10, Reordered: 2}, false,
			[]string{"2 reordered"}},
		{"stopped by hand", record.End{Interrupted: true, Clients: 5, Joined: 5, Expected: 10, Delivered: 10}, true,
			[]string{"interrupted: the figures cover the run so far"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newResult(t, []record.Record{{End: &test.end}})
			ok, reasons := report.Verdict(r.Summary)
			if ok != test.ok || !slices.Equal(reasons, test.reasons) {
				t.Errorf("Verdict(%+v) = %v, %q, want %v, %q", test.end, ok, reasons, test.ok, test.reasons)
			}
		})
	}
}

// A Summary may come from a JSON file that somebody cut down.
func TestVerdictOfPartialSummary(t *testing.T) {
	if ok, reasons := report.Verdict(report.Summary{Ended: true}); ok || len(reasons) != 1 {
		t.Errorf("Verdict = %v, %q, want false and one reason", ok, reasons)
	}
}

func TestLossyRunIsNamedEverywhere(t *testing.T) {
	records := fixture(t)
	e := end(t, records)
	e.Delivered, e.Lost, e.LostExamples = 199_999, 1, []string{"room 0 client 17 missed 7"}
	r := newResult(t, records)
	for name, out := range map[string]string{"text": text(t, r), "HTML": html(t, r)} {
		for _, want := range []string{"199,999 of 200,000 messages delivered", "1 lost", "room 0 client 17 missed 7"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s does not say %q", name, want)
			}
		}
	}
	if out := html(t, r); !strings.Contains(out, ">99.9995%<") || strings.Contains(out, ">100%<") {
		t.Error("HTML rounds a loss away, want 99.9995%")
	}
}
