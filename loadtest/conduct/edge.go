package conduct

import (
	"context"
	"fmt"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
)

// An edge holds the counts of all processes at one moment. The counts that they report
// by themselves are up to Plan.Report old, and not of the same age: a rate needs counts
// of its two moments.
type edge struct {
	moment int64 // monotonic; the mean of theirs
	order.Counts
}

// edge asks all processes for their counts, and waits for the answers.
func (r *run) edge(ctx context.Context, i order.Inquiry) (edge, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, proc.Patience, fmt.Errorf("client processes did not report in %s", proc.Patience))
	defer cancel()
	asked := r.ask(i)
	err := r.until(ctx, func() bool { return all(r.workers, (*worker).reported) })
	return r.answers(asked), err
}

// ask asks, and returns when that was.
func (r *run) ask(i order.Inquiry) (asked int64) {
	for _, w := range r.workers {
		w.answer = nil
	}
	asked = order.Now()
	r.order(order.Command{Report: &i})
	return asked
}

// reported says that there is an answer, or will be none.
func (w *worker) reported() bool { return w.answer != nil || w.gone }

// answers is the edge that the processes told. Of those that have not it is what
// they told last.
func (r *run) answers(asked int64) edge {
	e := edge{moment: asked}
	var after int64 // in all answers
	for _, w := range r.workers {
		if w.answer == nil {
			e.Add(w.progress)
			continue
		}
		e.Add(w.answer.Counts)
		after += w.answer.At - asked
	}
	if n := count(r.workers, func(w *worker) bool { return w.answer != nil }); n > 0 {
		e.moment += after / int64(n)
	}
	return e
}
