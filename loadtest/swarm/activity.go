package swarm

import (
	"slices"

	"github.com/roost-rt/roost/loadtest/record"
)

// An activity is what a record.Activity is made of.
type activity struct {
	run    *run
	record record.Activity
	count  func(a *record.Activity, was, is counts) // fills in what was counted
	told   func(*halted) (latency, raw []byte)      // what processes measured
	usage  func() (server, client int64)            // CPU time so far; nil for what is not charged
	was    struct {
		moment, server, client int64
		counts
	} // at the start
}

// begun starts to measure. If the run is cut short, what came of it until then
// is recorded all the same.
func (r *run) begun(name string, count func(a *record.Activity, was, is counts)) *activity {
	a := &activity{run: r, count: count, told: func(h *halted) (latency, raw []byte) { return h.Latency, h.Raw }}
	a.was.moment, a.was.counts = monotonic(), r.counts()
	a.record = record.Activity{Name: name, AtMs: r.since(a.was.moment)}
	r.ongoing = append(r.ongoing, a)
	return a
}

// charged has it measure CPU time: where no server ends, which would take its
// own along.
func (a *activity) charged() *activity {
	a.usage = func() (server, client int64) { return a.run.serverUsage().CPUNs, a.run.clientUsage().CPUNs }
	a.was.server, a.was.client = a.usage()
	return a
}

// over ends the measuring.
func (a *activity) over() {
	rec := &a.record
	if rec.Ms == 0 {
		rec.Ms = ms(monotonic() - a.was.moment)
	}
	a.count(rec, a.was.counts, a.run.counts())
	if a.usage != nil {
		server, client := a.usage()
		rec.ServerCPUNs, rec.ClientCPUNs = max(0, server-a.was.server), max(0, client-a.was.client) // the dead have none
	}
}

// emit records it, with the latencies that the processes told when they fell
// silent.
func (a *activity) emit() {
	r := a.run
	r.ongoing = slices.DeleteFunc(r.ongoing, func(other *activity) bool { return other == a })
	latency, raw := newHistogram(3), newHistogram(3)
	for _, w := range r.workers {
		if w.halted != nil {
			l, actual := a.told(w.halted)
			_ = merge(latency, l) // one that cannot be read is of a process that died
			_ = merge(raw, actual)
		}
	}
	a.record.Latency, a.record.RawLatency = encode(latency), encode(raw)
	r.emit(record.Record{Activity: &a.record})
}
