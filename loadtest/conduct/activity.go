package conduct

import (
	"context"
	"slices"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/record"
)

// An activity holds the figures for a record.Activity.
type activity struct {
	run    *run
	record record.Activity
	count  func(a *record.Activity, was, is order.Counts) // fills in what was counted
	told   func(*order.Halted) (latency, raw []byte)      // what processes measured
	usage  func() (server, client int64)                  // CPU time so far; nil for what is not charged
	ended  bool                                           // what came later does not count
	was    struct {
		edge
		server, client int64
	} // at the start
}

// begun starts to measure now, by what the processes told last.
func (r *run) begun(name string, count func(a *record.Activity, was, is order.Counts)) *activity {
	return r.begunAt(edge{order.Now(), r.counts()}, name, count)
}

// begunAt starts to measure at an edge. If the run is cut short, what came of it
// until then is recorded all the same.
func (r *run) begunAt(e edge, name string, count func(a *record.Activity, was, is order.Counts)) *activity {
	a := &activity{run: r, count: count, told: func(h *order.Halted) (latency, raw []byte) { return h.Latency, h.Raw }}
	a.was.edge = e
	a.record = record.Activity{Name: name, AtMs: r.since(e.moment)}
	r.ongoing = append(r.ongoing, a)
	return a
}

// charged has it measure CPU time.
func (a *activity) charged() *activity {
	a.usage = func() (server, client int64) { return a.run.serverUsage().CPUNs, a.run.clientUsage().CPUNs }
	a.was.server, a.was.client = a.usage()
	return a
}

// lasted ends its length, while what it counts goes on.
func (a *activity) lasted() { a.record.Ms = ms(order.Now() - a.was.moment) }

// over ends the measuring now, by what the processes told last.
func (a *activity) over() { a.overAt(edge{order.Now(), a.run.counts()}) }

// end ends the measuring, by counts of this moment.
func (a *activity) end(ctx context.Context) error {
	e, err := a.run.edge(ctx, order.Inquiry{Last: true})
	if err == nil {
		a.overAt(e)
	}
	return err
}

// overAt ends the measuring at an edge.
func (a *activity) overAt(e edge) {
	if a.ended {
		return
	}
	a.ended = true
	rec := &a.record
	if rec.Ms == 0 {
		rec.Ms = ms(e.moment - a.was.moment)
	}
	a.count(rec, a.was.Counts, e.Counts)
	if a.usage != nil {
		server, client := a.usage()
		rec.ServerCPUNs, rec.ClientCPUNs = max(0, server-a.was.server), max(0, client-a.was.client)
	}
}

// emit records it, with the latencies that the processes told when they fell
// silent.
func (a *activity) emit() {
	r := a.run
	r.ongoing = slices.DeleteFunc(r.ongoing, func(other *activity) bool { return other == a })
	latency, raw := order.NewHistogram(3), order.NewHistogram(3)
	for _, w := range r.workers {
		if w.halted != nil {
			l, actual := a.told(w.halted)
			// What cannot be read is of a process that died, which is an error of the run.
			_ = order.Merge(latency, l)
			_ = order.Merge(raw, actual)
		}
	}
	a.record.Latency, a.record.RawLatency = order.Encode(latency), order.Encode(raw)
	r.emit(record.Record{Activity: &a.record})
}
