package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

var burst = part{
	play:   (*run).burst,
	orders: func(r *run, o *order.Orders) { o.Queue = queue(r.cfg, r.plan.Messages) },
}

// queue is how many bytes a client has to send at a time: of pushes or of a
// writer's messages, with what is around them, and no less than 64 MiB.
func queue(c plan.Config, messages int) int {
	const around = 200 // bytes
	return max(64<<20, c.Pushes()*(plan.PushSize+around), messages*(c.Size+around))
}

// burst is the scenario in which clients that read all the time send much at once:
// some push, and read the replies; then the writers write to all.
func (r *run) burst(ctx context.Context) error {
	r.enter("burst")
	a := r.begun("burst", func(a *record.Activity, was, is order.Counts) { a.Count = is.Replies - was.Replies })
	each := r.cfg.Pushes()
	for i, n := range plan.Split(r.cfg.Pushers, len(r.workers)) {
		if n == 0 {
			break // the others have none either
		}
		if err := r.workers[i].tell(order.Command{Echo: &order.Echo{InFlight: n, Burst: each, Size: plan.PushSize}}); err != nil {
			return err
		}
	}
	all := int64(r.cfg.Pushers * each)
	r.lastArrival = order.Now()
	if err := r.until(ctx, func() bool { return r.counts().Replies >= all || r.silent() }); err != nil {
		return err
	}
	a.over()
	err := r.quieten(ctx) // for the latencies
	a.emit()
	if err != nil {
		return err
	}
	return r.broadcast(ctx)
}
