package metrics_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/roost-rt/roost/server/metrics"
	"github.com/roost-rt/roost/server/phxtest"
)

var (
	described = regexp.MustCompile(`fqName: "([a-z0-9_]+)"`)
	typed     = regexp.MustCompile(`(?m)^# TYPE ([a-z0-9_]+) `)
	named     = regexp.MustCompile(`\b(roost|process|go)_[a-z0-9_]+\b`)
)

// known are the names of all metrics, whether they have values yet or not.
func known(t *testing.T) map[string]bool {
	t.Helper()
	events := metrics.NewEvents()
	ep := phxtest.Start(t, config(events))
	descs := make(chan *prometheus.Desc, 1000) // more than there are
	metrics.Collector(ep.Endpoint).Describe(descs)
	events.Describe(descs)
	metrics.Presence().Describe(descs)
	close(descs)
	names := make(map[string]bool)
	for desc := range descs {
		names[described.FindStringSubmatch(desc.String())[1]] = true
	}
	for _, match := range typed.FindAllStringSubmatch(scrape(t, metrics.Handler(ep.Endpoint, events)), -1) {
		names[match[1]] = true
	}
	return names
}

// dashboard is what is looked at of dashboard.json.
type dashboard struct {
	Panels []struct {
		Title   string
		Targets []struct{ Expr string }
	}
	Templating struct {
		List []struct {
			Query any
		}
	}
}

func readDashboard(t *testing.T) (d dashboard, exprs []string) {
	t.Helper()
	text, err := os.ReadFile("dashboard.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatal(err)
	}
	for _, p := range d.Panels {
		for _, target := range p.Targets {
			exprs = append(exprs, target.Expr)
		}
	}
	return d, exprs
}

// The rules and the dashboard ask for metrics that there are, and the dashboard shows
// all that are the server's own.
func TestRulesAndDashboardNameMetrics(t *testing.T) {
	t.Parallel()
	names := known(t)
	rules, err := os.ReadFile("alerts.yml")
	if err != nil {
		t.Fatal(err)
	}
	d, exprs := readDashboard(t)
	shown := strings.Join(exprs, "\n")
	for _, name := range named.FindAllString(string(rules)+shown+fmt.Sprint(d.Templating), -1) {
		if !names[name] {
			t.Errorf("no metric has the name %s", name)
		}
	}
	for name := range names {
		if strings.HasPrefix(name, "roost_") && !regexp.MustCompile(`\b`+name+`\b`).MatchString(shown) {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
}

// Prometheus's own tool parses the rules and the dashboard's expressions, and tries
// the rules out. scripts/test lint runs it: ROOST_PROMTOOL is the path of promtool.
func TestPromtool(t *testing.T) {
	tool := os.Getenv("ROOST_PROMTOOL")
	if tool == "" {
		t.Skip("needs promtool: ROOST_PROMTOOL=promtool go test ./server/metrics -run Promtool")
	}
	_, exprs := readDashboard(t)
	shown := strings.NewReplacer("$__rate_interval", "5m", "$job", "roost", "$instance", ".*")
	rules := strings.Builder{}
	rules.WriteString("groups:\n- name: dashboard\n  rules:\n")
	for i, expr := range exprs {
		fmt.Fprintf(&rules, "  - {record: 'dashboard:%d', expr: %q}\n", i, shown.Replace(expr))
	}
	file := filepath.Join(t.TempDir(), "dashboard.yml")
	if err := os.WriteFile(file, []byte(rules.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}, {"check", "rules", file}} {
		if out, err := exec.Command(tool, args...).CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
}
