package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
)

// A connecting is the stage in which the clients join.
type connecting struct {
	firstDial, lastJoin int64 // of all clients, monotonic nanoseconds; 0: none yet
	cpu                 int64 // that the servers took, nanoseconds
}

// joined takes the moments of one process whose clients have all joined or failed.
func (c *connecting) joined(e *order.Ramped) {
	if c.firstDial == 0 {
		c.firstDial = e.FirstDial
	}
	c.firstDial = min(c.firstDial, e.FirstDial)
	c.lastJoin = max(c.lastJoin, e.LastJoin)
}

// took is how long it was from the first dial to the last join, in nanoseconds.
func (c *connecting) took() int64 { return c.lastJoin - c.firstDial }

// connect has all clients join, a few processes of them at a time.
func (c *connecting) connect(ctx context.Context, r *run) error {
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
	c.cpu = max(0, r.serverUsage().CPUNs-before)
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

func all(workers []*worker, is func(*worker) bool) bool {
	return count(workers, is) == len(workers)
}

func count(workers []*worker, is func(*worker) bool) (n int) {
	for _, w := range workers {
		if is(w) {
			n++
		}
	}
	return n
}
