package conduct

import (
	"context"

	"github.com/roost-rt/roost/loadtest/order"
)

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

// order tells all workers. That one is dead is found by reading from it; one
// that hangs does not read, and would have us wait.
func (r *run) order(c order.Command) {
	for _, w := range r.workers {
		if !w.hung {
			_ = w.tell(c)
		}
	}
}

// silence is quieten without the wait.
func (r *run) silence() {
	for _, w := range r.workers {
		w.halted = nil
	}
	r.order(order.Command{Halt: true})
}

// quieten ends all that the clients do by themselves.
func (r *run) quieten(ctx context.Context) error {
	r.silence()
	return r.until(ctx, func() bool { return all(r.workers, (*worker).quiet) })
}
