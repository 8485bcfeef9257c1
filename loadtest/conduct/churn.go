package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

var churn = part{play: (*run).churn}

// churn is a chat while clients leave and join.
func (r *run) churn(ctx context.Context) error {
	everybody := r.present()
	first := edge{order.Now() + int64(headStart), r.counts()} // of the leaves
	for _, w := range r.workers {
		pace := order.NewPacer(first.moment, r.plan.Churn/float64(len(r.workers)))
		if err := w.tell(order.Command{Churn: &pace}); err != nil {
			return err
		}
	}
	if err := r.speak(); err != nil {
		return err
	}
	joins := r.begunAt(first, "churn", func(a *record.Activity, was, is order.Counts) { a.Count = is.Returned - was.Returned }).charged()
	leaves := r.begunAt(first, "leave", func(a *record.Activity, was, is order.Counts) { a.Count = is.Gone - was.Gone }).charged()
	leaves.told = func(h *order.Halted) (latency, raw []byte) { return h.Leave, nil }
	if err := r.until(ctx, r.allSent); err != nil {
		return err
	}
	if err := r.quieten(ctx); err != nil {
		return err
	}
	joins.lasted() // as long as clients left; the last are yet to join
	leaves.lasted()
	if err := r.awaitPresent(ctx, everybody, func() bool { return true }); err != nil {
		return err
	}
	joins.over()
	leaves.over()
	if err := r.until(ctx, r.allArrived); err != nil {
		return err
	}
	if err := r.quieten(ctx); err != nil { // for what those measured that came last
		return err
	}
	joins.emit()
	leaves.emit()
	return nil
}
