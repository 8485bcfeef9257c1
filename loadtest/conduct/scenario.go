package conduct

import (
	"context"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// play is the stage of a run that its scenario is about.
func (r *run) play(ctx context.Context) error {
	defer func() { r.casting.done(r.serverUsage().CPUNs) }()
	switch r.cfg.Scenario {
	case plan.Echo:
		return r.echo(ctx)
	case plan.Idle:
		return r.idle(ctx)
	case plan.Churn:
		return r.churn(ctx)
	case plan.Slow:
		return r.slow(ctx)
	case plan.Kill:
		return r.killAmid(ctx)
	case plan.Soak:
		return r.soak(ctx)
	case plan.Burst:
		return r.burst(ctx)
	case plan.Storm:
		if err := r.storm(ctx); err != nil {
			return err
		}
	}
	return r.broadcast(ctx)
}

// hold waits for d.
func (r *run) hold(ctx context.Context, d time.Duration) error {
	return r.pass(ctx, order.Now()+int64(d))
}
