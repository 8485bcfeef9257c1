package conduct

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

// explainShortfall records which limit kept clients from joining, if some did not join.
// err is the error that ended the run early, or nil. Connections must still be open, for
// they count.
func (r *run) explainShortfall(ctx context.Context, err error) {
	joined := r.counts().Joined
	byHand := ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded)
	if byHand || r.phase == "settle" && joined == 0 || joined >= int64(r.plan.Clients) && err == nil {
		return
	}
	s := kernel.Symptoms{
		Demand: r.plan.Demand,
		Errors: slices.Sorted(maps.Keys(r.counts().Errors)),
		Files:  r.files(),
		Before: r.tally, After: root.Tally(),
	}
	if err != nil {
		s.Errors = append(s.Errors, err.Error())
	}
	c := r.host.Diagnose(s)
	r.emit(record.Record{Shortfall: &record.Shortfall{
		AtMs: r.since(order.Now()), Clients: joined, Asked: int64(r.plan.Clients),
		Limit: c.Name, Scope: string(c.Scope), Evidence: c.Evidence, Fix: c.Fix,
	}})
}

// files returns the files of all processes of the run that this host knows.
func (r *run) files() (list []kernel.Files) {
	for _, s := range r.servers {
		list = append(list, root.FilesOf(s.PID(), s.Name))
	}
	if r.cfg.ServerPID != 0 {
		list = append(list, root.FilesOf(r.cfg.ServerPID, "the server"))
	}
	for _, w := range r.workers {
		if pid := w.process.PID(); pid != 0 {
			list = append(list, root.FilesOf(pid, fmt.Sprintf("client process %d", w.number)))
		}
	}
	return list
}
