package report_test

import (
	"slices"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
)

// of6 is a side of six runs, of which some measured the server's memory.
func of6(name, scenario string, ended bool, measured int) report.Side {
	s := report.Side{Name: name}
	for i := range 6 {
		rate, bytes := float64(10+i), float64(700+i)
		sum := report.Summary{Ended: ended, Scenario: scenario, ConnectJoinPerSecond: &rate}
		if i < measured {
			sum.ServerBytesPerClient, sum.KernelBytesPerClient = &bytes, &bytes
		}
		s.Runs = append(s.Runs, &report.Result{Summary: sum})
	}
	return s
}

func TestMissingAndUntold(t *testing.T) {
	for _, test := range []struct {
		name            string
		old, new        report.Side
		missing, untold []string
	}{
		{"nothing", of6("old", "chat", true, 6), of6("new", "chat", true, 6), nil, nil},
		{"all died", of6("old", "chat", true, 6), of6("new", "chat", false, 6), []string{"new: no run finished"}, nil},
		{"all died before", of6("old", "chat", false, 6), of6("new", "chat", true, 0), nil, []string{"old: no run finished"}},
		{"not measured any more", of6("old", "chat", true, 6), of6("new", "chat", true, 0), []string{"new: memory server is no longer measured"}, nil},
		{"measured in few", of6("old", "chat", true, 6), of6("new", "chat", true, 2), nil, []string{"new: memory server was measured in too few of the runs"}},
		{"not measured before", of6("old", "chat", true, 0), of6("new", "chat", true, 6), nil, nil},
		{"another scenario", of6("old", "chat", true, 6), of6("new", "idle", true, 0), nil, []string{"new is a run of scenario idle, old of chat"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := compared(t, 0, test.old, test.new)
			if missing, untold := c.Missing(), c.Untold(); !slices.Equal(missing, test.missing) || !slices.Equal(untold, test.untold) {
				t.Errorf("Missing, Untold = %q, %q, want %q, %q", missing, untold, test.missing, test.untold)
			}
		})
	}
}
