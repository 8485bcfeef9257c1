package plan_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/plan"
)

// A chart over the time of a run has thirty points or more, where that is not
// more often than CPU time is counted.
func TestTicksOfARun(t *testing.T) {
	t.Parallel()
	host, err := kernel.Here()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name   string
		cfg    plan.Config
		length time.Duration
	}{
		{"three seconds", plan.Config{Messages: 6, Rate: 2}, 3 * time.Second},
		{"ten seconds", plan.Config{Messages: 20, Rate: 2}, 10 * time.Second},
		{"a minute", plan.Config{Messages: 60, Rate: 1}, time.Minute},
		{"an hour", plan.Config{Scenario: plan.Soak}, time.Hour},
		{"pings", plan.Config{Scenario: plan.Echo, For: 5 * time.Second}, 5 * time.Second},
		{"all at once", plan.Config{Scenario: plan.Burst, Clients: 20}, 0},
	} {
		test.cfg.URL = "ws://127.0.0.1:4000"
		p, err := plan.New(test.cfg, host)
		if err != nil {
			t.Fatal(err)
		}
		points := test.length / p.Tick
		if p.Tick < 100*time.Millisecond || p.Tick > time.Second || p.Tick > 100*time.Millisecond && points < 30 {
			t.Errorf("%s: a tick each %s, %d in its length, want 30 or more", test.name, p.Tick, points)
		}
		if p.Report > p.Tick {
			t.Errorf("%s: processes report each %s, want no less often than each tick of %s", test.name, p.Report, p.Tick)
		}
	}
}
