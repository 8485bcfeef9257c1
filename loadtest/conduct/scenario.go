package conduct

import (
	"context"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// parts are the scenarios that are more than a chat. What they are in the plan is
// said there.
var parts = map[plan.Scenario]part{
	plan.Echo:  echo,
	plan.Idle:  idle,
	plan.Churn: churn,
	plan.Slow:  slow,
	plan.Storm: storm,
	plan.Kill:  kill,
	plan.Soak:  soak,
	plan.Burst: burst,
}

// A part is a scenario at the coordinator. What it does not say is as in a chat.
type part struct {
	play        func(*run, context.Context) error // what happens once all have joined
	orders      func(*run, *order.Orders)         // what processes of clients have to know
	firstWrites bool                              // all writers of a room are in the first process that has clients of it
}

// partOf is that of a scenario.
func partOf(s plan.Scenario) part {
	p := parts[s]
	if p.play == nil {
		p.play = (*run).broadcast
	}
	return p
}

// play is the stage of a run that its scenario is about.
func (r *run) play(ctx context.Context) error {
	defer func() { r.casting.done(r.serverUsage().CPUNs) }()
	return r.part.play(r, ctx)
}

// hold waits for d.
func (r *run) hold(ctx context.Context, d time.Duration) error {
	return r.pass(ctx, order.Now()+int64(d))
}
