package conduct

import (
	"context"
	"slices"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
)

var storm = part{play: (*run).storm}

// storm takes all servers down, starts them again where they were, and waits until
// their clients are back. Then it is a chat.
func (r *run) storm(ctx context.Context) error {
	r.enter("storm")
	o, err := r.depart(plan.Storm, r.present(), returns)
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
	if err := r.awaitReturn(ctx, o); err != nil {
		return err
	}
	return r.broadcast(ctx)
}
