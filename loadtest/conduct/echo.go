package conduct

import (
	"cmp"
	"context"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

var echo = part{play: (*run).echo}

// echo has clients push, and takes the time to the replies.
func (r *run) echo(ctx context.Context) error {
	r.enter("echo")
	from, err := r.edge(ctx, order.Inquiry{})
	if err != nil {
		return err
	}
	from.moment = order.Now() + int64(headStart) // an open loop begins then
	if err := r.sendPings(from.moment); err != nil {
		return err
	}
	if err := r.pass(ctx, from.moment); err != nil {
		return err
	}
	if r.cfg.Rate == 0 { // a closed one is in its stride by now, in all processes
		if from, err = r.edge(ctx, order.Inquiry{Anew: true}); err != nil {
			return err
		}
	}
	a := r.begunAt(from, "echo", func(a *record.Activity, was, is order.Counts) {
		a.Count, a.ClosedLoop = is.Replies-was.Replies, r.cfg.Rate == 0
	}).charged()
	if err := r.pass(ctx, from.moment+int64(r.cfg.For)); err != nil {
		return err
	}
	if r.cfg.Rate == 0 {
		if err := a.end(ctx); err != nil {
			return err
		}
	}
	if err := r.quieten(ctx); err != nil {
		return err
	}
	if r.cfg.Rate > 0 {
		a.lasted() // what it counts are the answers to all that was sent until now
	}
	r.lastArrival = order.Now()
	if err := r.until(ctx, r.allAnswered); err != nil { // the slowest answers are the last to come
		return err
	}
	err = r.quieten(ctx) // for their latencies
	if r.cfg.Rate > 0 {
		a.over()
		a.record.Ms = max(a.record.Ms, ms(r.answering()))
	}
	a.emit()
	return err
}

// answering is how long it was from the first answer to the last: longer than pings
// were sent where the server does not keep up.
func (r *run) answering() int64 {
	var first, last int64
	for _, w := range r.workers {
		if h := w.halted; h != nil && h.First != 0 {
			first, last = min(cmp.Or(first, h.First), h.First), max(last, h.Last)
		}
	}
	return last - first
}

// sendPings has all processes send pings; an open loop begins at start.
func (r *run) sendPings(start int64) error {
	for i, w := range r.workers {
		o := order.Echo{Size: r.cfg.Size}
		if r.cfg.Rate > 0 {
			o.Pace = order.NewPacer(start, r.cfg.Rate/float64(len(r.workers)))
			o.Pings = plan.Split(max(1, int(r.cfg.Rate*r.cfg.For.Seconds())), len(r.workers))[i]
		} else {
			o.InFlight = plan.Split(max(r.cfg.InFlight, len(r.workers)), len(r.workers))[i]
		}
		if err := w.tell(order.Command{Echo: &o}); err != nil {
			return err
		}
	}
	return nil
}

// allAnswered says that there is no answer to wait for any more.
func (r *run) allAnswered() bool {
	c := r.counts()
	return c.Replies >= c.Pings || r.silent()
}

// silent says that nothing has come for so long that nothing more will.
func (r *run) silent() bool { return order.Now() > r.lastArrival+int64(r.cfg.Drain) }
