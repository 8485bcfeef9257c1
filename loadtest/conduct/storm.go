package conduct

import (
	"context"
	"fmt"
	"slices"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// An outage is servers that go down, and the way back of their clients.
type outage struct {
	*activity
	clients int64 // that it cuts off
}

// storm takes all servers down, starts them again where they were, and waits
// until their clients are back.
func (r *run) storm(ctx context.Context) error {
	r.enter("storm")
	o, err := r.depart(plan.Storm, r.present())
	if err != nil {
		return err
	}
	for _, s := range r.servers {
		if r.cfg.How == plan.Crash {
			s.Kill()
		} else {
			s.Leave()
		}
	}
	if err := r.until(ctx, func() bool { return !slices.ContainsFunc(r.servers, (*proc.Server).Runs) }); err != nil {
		return err
	}
	gone := order.Now()
	if err := r.tickNow(ctx); err != nil {
		return err
	}
	for i, s := range r.servers {
		again, err := r.startServer(ctx, i, "-addr", s.Addr)
		if err != nil {
			return err
		}
		r.replacedCPU += s.Usage().CPUNs
		r.servers[i] = again
		if i == 0 {
			o.record.Ms = ms(order.Now() - gone)
		}
	}
	return r.awaitReturn(ctx, o)
}

// killAmid waits for the messages of a chat and kills a server when half of them
// are sent.
func (r *run) killAmid(ctx context.Context) error {
	if err := r.speak(); err != nil {
		return err
	}
	half := r.casting.schedule.Pace.Due(r.plan.Messages / 2)
	if err := r.pass(ctx, half); err != nil {
		return err
	}
	o, err := r.killOne()
	if err != nil {
		return err
	}
	if err := r.until(ctx, r.allArrived); err != nil {
		return err
	}
	return r.awaitReturn(ctx, o)
}

// killOne kills a server in the middle of a chat, and shows its clients the way
// to the others, as a load balancer would.
func (r *run) killOne() (*outage, error) {
	victim := len(r.servers) - 1 // the writer is at the first
	s, clients := r.servers[victim], r.plan.Servers[victim]
	o, err := r.depart(plan.Kill, int64(clients))
	if err != nil {
		return nil, err
	}
	s.Kill()
	move := order.Move{From: s.Addr}
	for _, other := range r.servers[:victim] {
		move.To = append(move.To, other.Addr)
	}
	r.order(order.Command{Move: &move})
	r.note("info", fmt.Sprintf("killed %s with %s clients", s.Name, kernel.Count(clients)))
	return o, nil
}

// depart marks the moment from which the way back of so many clients is
// measured.
func (r *run) depart(name plan.Scenario, clients int64) (*outage, error) {
	a := r.begun(string(name), func(a *record.Activity, was, is order.Counts) {
		a.Count, a.Retries = is.Returned-was.Returned, is.Retries-was.Retries
		if name == plan.Kill {
			a.CutOff = is.Left - was.Left
		}
	})
	for _, w := range r.workers {
		if err := w.tell(order.Command{Depart: a.was.moment}); err != nil {
			return nil, err
		}
	}
	r.seconds.Reset(outageEvery)
	return &outage{a, clients}, nil
}

// awaitReturn waits until all clients are back, or nobody has come back for a
// while.
func (r *run) awaitReturn(ctx context.Context, o *outage) error {
	defer r.seconds.Reset(tickEvery)
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

// awaitPresent waits until all clients are there, once gone says that those who
// were to go have, or nobody has come back for a while.
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

// present is how many clients are joined now.
func (r *run) present() int64 { return r.counts().Present() }

// joinedOnce is how many clients have joined.
func (r *run) joinedOnce() (n int64) {
	for i := range r.rooms {
		n += r.rooms[i].joined
	}
	return n
}
