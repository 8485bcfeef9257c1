package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
)

// connect has all clients join, a few processes of them at a time.
func (r *run) connect(ctx context.Context) error {
	if r.part.arrives != nil && r.part.arrives(r) {
		return nil
	}
	r.enter("connect")
	before := r.serverUsage().CPUNs
	ramping := r.plan.Ramping
	start := r.common()
	for _, w := range r.workers[:ramping] {
		if err := r.ramp(w, start); err != nil {
			return err
		}
	}
	begun := ramping
	err := r.until(ctx, func() bool {
		done := count(r.workers, func(w *worker) bool { return w.joined != nil })
		for ; begun < min(done+ramping, len(r.workers)); begun++ {
			_ = r.ramp(r.workers[begun], order.Now()) // that one is dead is found by reading from it
		}
		return done == len(r.workers)
	})
	r.connecting.cpu = max(0, r.serverUsage().CPUNs-before)
	if err == nil {
		err = r.tickNow(ctx) // the last to join are not reported yet
	}
	return err
}

// ramp has the clients of one process join from a moment on.
func (r *run) ramp(w *worker, start int64) error {
	pace := order.NewPacer(start, r.cfg.ConnectRate/float64(r.plan.Ramping))
	return w.tell(order.Command{Connect: &pace})
}
