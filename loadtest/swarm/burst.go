package swarm

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

// pushSize is the payload of a push of Burst, in bytes.
const pushSize = 20_000

// burst is the scenario in which clients that read all the time send much at once:
// some push, and read the replies; then the writers write to all.
func (r *run) burst(ctx context.Context) error {
	r.enter("burst")
	a := r.begun("burst", func(a *record.Activity, was, is order.Counts) { a.Count = is.Replies - was.Replies })
	each := r.cfg.pushes()
	for i, n := range split(r.cfg.Pushers, len(r.workers)) {
		if n == 0 {
			break // the others have none either
		}
		if err := r.workers[i].tell(order.Command{Echo: &order.Echo{InFlight: n, Burst: each, Size: pushSize}}); err != nil {
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

// pushes is how many messages each pusher of Burst pushes.
func (c Config) pushes() int { return atLeast(c.Push, pushSize) }

// queue is how many bytes a client of Burst has to send at a time: of pushes or of
// a writer's messages, with what is around them, and no less than 64 MiB. 0 is any
// other scenario.
func (c Config) queue(messages int) int {
	if c.Scenario != Burst {
		return 0
	}
	const around = 200 // bytes
	return max(64<<20, c.pushes()*(pushSize+around), messages*(c.Size+around))
}
