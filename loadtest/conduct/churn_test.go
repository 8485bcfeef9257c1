package conduct_test

import (
	"testing"

	"github.com/roost-rt/roost/loadtest/plan"
)

// A leave that could not be made is counted, so that nobody takes the rate asked
// for as done.
func TestChurnCountsEachLeave(t *testing.T) {
	t.Parallel()
	const skipped, nobody = "leave skipped: the client was still away, or had to write", "no client to leave"
	for _, test := range []struct {
		name    string
		clients int
		churn   float64
		kind    string // of error; "" is none
		least   int64  // leaves
	}{
		{"as fast as asked for", clients, 20, "", 50},
		{"too fast", clients, 1000, skipped, 100},
		{"nobody but the writer", 1, 20, nobody, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			cfg := config((&fake{}).start(t))
			cfg.Scenario, cfg.Clients, cfg.Churn, cfg.Messages, cfg.Rate = plan.Churn, test.clients, test.churn, 15, 5
			end, records, err := run(t, t.Context(), cfg)
			if err != nil {
				t.Fatalf("Run() = %v", err)
			}
			var left int64
			for _, r := range records {
				if r.Activity != nil && r.Activity.Name == "leave" {
					left = r.Activity.Count
				}
			}
			if left < test.least || end.Lost > 0 {
				t.Errorf("%d clients left, %d messages lost, want at least %d and none", left, end.Lost, test.least)
			}
			var errors int64
			for _, n := range end.Errors {
				errors += n
			}
			if n := end.Errors[test.kind]; n != errors {
				t.Errorf("errors %v, want only of kind %q", end.Errors, test.kind)
			}
			// From the first message to the end of the last it is about three seconds.
			if all := float64(left + errors); all < 2.5*test.churn || all > 5*test.churn {
				t.Errorf("%d left and %d were to, want %v a second for three", left, errors, test.churn)
			}
		})
	}
}
