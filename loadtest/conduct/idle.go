package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

var idle = part{play: (*run).idle}

// idle is the scenario in which clients send heartbeats and nothing else. Those
// of a client are apart by Plan.Heartbeat; the first follows the join by as
// much.
func (r *run) idle(ctx context.Context) error {
	from, err := r.edge(ctx, order.Inquiry{})
	if err != nil {
		return err
	}
	r.enter("idle")
	a := r.begunAt(from, "idle", func(a *record.Activity, was, is order.Counts) { a.Count = is.Beats - was.Beats }).charged()
	if err := r.hold(ctx, r.cfg.For); err != nil {
		return err
	}
	if err := a.end(ctx); err != nil {
		return err
	}
	err = r.quieten(ctx)
	a.emit()
	return err
}
