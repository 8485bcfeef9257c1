package conduct

import "github.com/roost-rt/roost/loadtest/plan"

// parts holds the scenarios that are more than a chat. Package plan says what they are
// in a plan.
var parts = map[plan.Scenario]part{
	plan.Echo:  echo,
	plan.Idle:  idle,
	plan.Churn: churn,
	plan.Slow:  slow,
	plan.Storm: storm,
	plan.Kill:  kill,
	plan.Soak:  soak,
	plan.Burst: burst,
	plan.App:   app,
}

// partOf returns the part of a scenario.
func partOf(s plan.Scenario) part {
	p := parts[s]
	if p.play == nil {
		p.play = (*run).broadcast
	}
	return p
}
