package conduct

import (
	"context"
	"errors"
	"fmt"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

var slow = part{
	play:   (*run).slow,
	orders: func(r *run, o *order.Orders) { o.Slow = r.cfg.Slow },
}

// slow is a chat in which some clients do not read.
func (r *run) slow(ctx context.Context) error {
	a := r.begun("slow", func(a *record.Activity, _, is order.Counts) { a.Count, a.Stalled = is.CutOff, is.Slow }).charged()
	err := r.broadcast(ctx)
	r.order(order.Command{Resume: true}) // though it was cut short: only they know
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), proc.Patience)
	defer cancel()
	err = errors.Join(err, r.quieten(last))
	a.over()
	a.emit()
	r.note("info", fmt.Sprintf("%s of %s slow clients were cut off by the server", kernel.Count(a.record.Count), kernel.Count(a.record.Stalled)))
	return err
}
