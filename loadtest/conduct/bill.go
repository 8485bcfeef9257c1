package conduct

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// memory is the stage of a run in which nothing happens but a memory bill.
func (r *run) memory(ctx context.Context, when string) error {
	r.enter("settle")
	return r.bill(ctx, when)
}

// bill records the memory bill, after a garbage collection everywhere.
func (r *run) bill(ctx context.Context, when string) error {
	for _, w := range r.workers {
		w.collected = false
		if err := w.tell(order.Command{Collect: true}); err != nil {
			return err
		}
	}
	servers := slices.DeleteFunc(slices.Clone(r.servers), func(s *proc.Server) bool { return s.Leaving() })
	servers = slices.DeleteFunc(servers, func(s *proc.Server) bool {
		asked := s.Collect()
		if !asked && !s.Deaf {
			r.withGarbage(s)
		}
		return !asked
	})
	if err := r.collected(ctx); err != nil {
		return err
	}
	timer := time.NewTimer(proc.Patience)
	defer timer.Stop()
	for _, s := range servers {
		select {
		case <-s.Collected:
		case <-s.Exited:
			return s.Failure()
		case <-timer.C:
			r.withGarbage(s)
			timer.Reset(0) // the others get no time of their own
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	r.emit(record.Record{Memory: &record.Memory{
		AtMs:        r.since(order.Now()),
		When:        when,
		Clients:     r.counts().Joined,
		ServerRSS:   r.serverUsage().RSS,
		ClientRSS:   r.clientUsage().RSS,
		KernelBytes: kernelBytes(),

		AvailableBytes: int64(max(0, root.MemoryAvailable())),
	}})
	if when == "after" {
		r.noteGarbage()
	}
	return nil
}

// collected waits until all processes of clients have collected their garbage. One
// that hangs ends the run.
func (r *run) collected(ctx context.Context) error {
	ctx, cancel := context.WithTimeoutCause(ctx, proc.Patience, fmt.Errorf("client processes did not collect their garbage in %s", proc.Patience))
	defer cancel()
	return r.until(ctx, func() bool { return all(r.workers, func(w *worker) bool { return w.collected }) })
}

// withGarbage notes that a server does not collect its garbage when asked. It is
// not asked again.
func (r *run) withGarbage(s *proc.Server) {
	s.Deaf = true
	r.note("warn", s.Name+" does not answer SIGUSR1: its memory includes garbage")
}
