package conduct_test

import (
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
	"github.com/roost-rt/roost/loadtest/report"
)

// A server that takes two seconds for each message does not make the generator
// suspect, and neither do the joins before.
func TestSlowServerIsNotTheGenerator(t *testing.T) {
	t.Parallel()
	const delay = 2 * time.Second
	f := (&fake{deliver: func(_, _ int, send func()) { time.AfterFunc(delay, send) }}).start(t)
	cfg := config(f)
	cfg.Drain = 20 * time.Second
	_, records, err := run(t, t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r, err := report.New(records)
	if err != nil {
		t.Fatal(err)
	}
	g := r.Summary.Generator
	switch {
	case g == nil || g.LateMs == nil || g.LagMs == nil || g.BusyPercent == nil || g.ClientCores == nil:
		t.Fatalf("generator %+v, want one that was watched", g)
	case r.Summary.LatencyMs.P50 < delay.Seconds()*1000:
		t.Errorf("median latency %v ms, want %s or more", r.Summary.LatencyMs.P50, delay)
	}
	for _, why := range []string{"late or more", "event loops"} {
		if strings.Contains(g.String(), why) {
			t.Errorf("%s; %s: a slow server is none", g, g.Measures())
		}
	}
}

// Each scenario is watched while it plays, and what a run that is cut short came
// to is recorded all the same.
func TestGeneratorIsWatched(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name string
		cfg  func(*plan.Config)
		late bool // there are sends that have moments
	}{
		{"chat", func(*plan.Config) {}, true},
		{"closed loop", func(c *plan.Config) { c.Scenario, c.Rate, c.For = plan.Echo, 0, 100*time.Millisecond }, false},
		{"open loop", func(c *plan.Config) { c.Scenario, c.Rate, c.For = plan.Echo, 20, 2*time.Second }, true},
		{"churn", func(c *plan.Config) { c.Scenario, c.Churn = plan.Churn, 100 }, true},
		{"idle", func(c *plan.Config) { c.Scenario, c.For, c.Rate = plan.Idle, 100*time.Millisecond, 0 }, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := config(new(fake).start(t))
			test.cfg(&cfg)
			_, records, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatal(err)
			}
			var g *record.Generator
			for _, r := range records {
				if r.Generator != nil {
					g = r.Generator
				}
			}
			if g == nil || len(g.Lag) == 0 || g.Ms <= 0 || len(g.Hosts) != 1 || g.Hosts[0].Cores < 1 {
				t.Fatalf("generator %+v, want its lag and its host", g)
			}
			if (len(g.Late) > 0) != test.late {
				t.Errorf("late sends measured %v, want %v", len(g.Late) > 0, test.late)
			}
		})
	}
}
