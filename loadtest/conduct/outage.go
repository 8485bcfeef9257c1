package conduct

import (
	"context"
	"fmt"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

// An outage is servers that go down, and the way back of their clients.
type outage struct {
	*activity
	clients int64 // that it cuts off
}

// returns fills in who came back.
func returns(a *record.Activity, was, is order.Counts) {
	a.Count, a.Retries = is.Returned-was.Returned, is.Retries-was.Retries
}

// depart marks the moment from which the way back of so many clients is
// measured.
func (r *run) depart(name plan.Scenario, clients int64, count func(a *record.Activity, was, is order.Counts)) (*outage, error) {
	a := r.begun(string(name), count)
	for _, w := range r.workers {
		if err := w.tell(order.Command{Depart: a.was.moment}); err != nil {
			return nil, err
		}
	}
	r.seconds.Reset(min(outageEvery, tickEvery(r.plan)))
	return &outage{a, clients}, nil
}

// awaitReturn waits until all clients are back, or no one has come back for a while.
func (r *run) awaitReturn(ctx context.Context, o *outage) error {
	defer r.seconds.Reset(tickEvery(r.plan))
	cutOff := func() bool { return r.counts().Left-o.was.Left >= o.clients }
	if err := r.awaitPresent(ctx, o.was.Present(), cutOff); err != nil {
		return err
	}
	o.over()
	if err := r.quieten(ctx); err != nil {
		return err
	}
	o.emit()
	return nil
}

// awaitPresent waits until all clients are there, once gone says that those who should
// go have gone, or until no one has come back for a while.
func (r *run) awaitPresent(ctx context.Context, all int64, gone func() bool) error {
	last, since := r.present(), order.Now()
	err := r.until(ctx, func() bool {
		if n := r.present(); n != last {
			last, since = n, order.Now()
		}
		return gone() && last >= all || order.Now() > since+int64(r.cfg.Drain)
	})
	if missing := all - r.present(); err == nil && missing > 0 {
		r.note("error", fmt.Sprintf("%s clients did not come back", kernel.Count(missing)))
	}
	return err
}
