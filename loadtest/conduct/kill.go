package conduct

import (
	"context"
	"fmt"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/record"
)

var kill = part{
	play:        (*run).kill,
	firstWrites: true, // it stays: the last server is killed
}

// kill waits for the messages of a chat and kills a server when half of them
// are sent.
func (r *run) kill(ctx context.Context) error {
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
	o, err := r.depart(plan.Kill, int64(clients), func(a *record.Activity, was, is order.Counts) {
		returns(a, was, is)
		a.CutOff = is.Left - was.Left
	})
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
