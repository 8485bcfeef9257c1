package report_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// Records have every setting; readers want those that did something.
func TestConfigurationIsOfTheScenario(t *testing.T) {
	for scenario, want := range map[string]string{
		"chat":  "drain event late messages net.x_y rate size writers",
		"echo":  "drain for in_flight net.x_y rate size",
		"idle":  "for net.x_y",
		"soak":  "drain event for late messages net.x_y rate size writers",
		"storm": "drain event how late messages net.x_y rate size writers",
		"rooms": "drain event late messages net.x_y rate rooms size writers zipf",
		"churn": "churn drain event late messages net.x_y rate size writers",
		"burst": "drain event late messages net.x_y push pushers size writers",
		"slow":  "drain event late messages net.x_y rate size slow writers",
	} {
		config := map[string]any{"scenario": scenario, "drain_ns": 1e10, "late_ns": 1e10, "for_ns": 1.5e9}
		for _, name := range []string{"event", "messages", "rate", "size", "writers", "in_flight", "how", "rooms", "zipf", "churn", "slow", "push", "pushers", "net.x_y"} {
			config[name] = 7.0
		}
		page := html(t, newResult(t, []record.Record{{Run: &record.Run{Schema: 1, Config: config}}}))
		_, table, _ := strings.Cut(page, "<h3>Configuration</h3>")
		table, _, _ = strings.Cut(table, "</table>")
		var names []string
		for _, row := range strings.Split(table, `<th scope="row">`)[1:] {
			name, _, _ := strings.Cut(row, "</th>")
			if name = strings.ReplaceAll(name, "<wbr/>", ""); name != "scenario" {
				names = append(names, name)
			}
		}
		if got := strings.Join(names, " "); got != want {
			t.Errorf("settings of %s = %s, want %s", scenario, got, want)
		}
		if want := `for</th><td>1.5s</td>`; scenario == "soak" && !strings.Contains(table, want) {
			t.Errorf("settings = %s, want in it %s", table, want)
		}
	}
}

// A name of the kernel's has no blank at which a phone could end a line.
func TestLongNamesMayBreak(t *testing.T) {
	page := html(t, newResult(t, []record.Record{{Run: &record.Run{Schema: 1, Kernel: []record.Setting{{Name: "net.ipv4.tcp_mem", Value: "1 2 3"}}}}}))
	if want := `<th scope="row">net.<wbr/>ipv4.<wbr/>tcp_<wbr/>mem</th>`; !strings.Contains(page, want) {
		t.Errorf("HTML does not contain %s", want)
	}
}

// A soak has a bill every few minutes: each with its time, and three of them as
// bars.
func TestBillsOfASoak(t *testing.T) {
	records := []record.Record{{Memory: &record.Memory{When: "empty", ServerRSS: 1}}}
	for i, mb := range []int64{10, 11, 14, 12, 13} {
		records = append(records, record.Record{Memory: &record.Memory{AtMs: int64(i+1)*300_000 + 250, When: "soak", Clients: 10, ServerRSS: mb * 1e6, ClientRSS: 1e6}})
	}
	for _, test := range []struct {
		name, of string
		n        int // soaks
		want     []string
	}{
		{"text", text(t, newResult(t, records)), 5, []string{"\n  soak 5m0s         10.0 MB", "\n  soak 10m0s        11.0 MB", "\n  soak 25m0s        13.0 MB"}},
		{"HTML", html(t, newResult(t, records)), 3, []string{"soak 5m0s, 10 clients", "soak 15m0s, 10 clients", "soak 25m0s, 10 clients"}},
		{"HTML of a short one", html(t, newResult(t, records[:2])), 1, []string{"soak 5m0s, 10 clients"}},
	} {
		for _, want := range test.want {
			if !strings.Contains(test.of, want) || strings.Count(test.of, "soak ") != test.n {
				t.Errorf("%s = %s\nwant %q in it, and %d soaks", test.name, test.of, want, test.n)
			}
		}
	}
}

// Runs that differ in what does nothing do not differ.
func TestDifferencesAreOfTheScenario(t *testing.T) {
	of := func(name string, zipf float64) report.Side {
		run := &record.Run{Schema: 1, Config: map[string]any{"scenario": "chat", "zipf": zipf, "rate": zipf}}
		return report.Side{Name: name, Runs: []*report.Result{newResult(t, []record.Record{{Run: run}})}}
	}
	if d := compared(t, 0, of("a", 1), of("b", 2)).Differences; len(d) != 1 || d[0].Name != "rate" {
		t.Errorf("Differences = %v, want rate", d)
	}
}
