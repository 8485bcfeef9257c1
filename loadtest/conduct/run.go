package conduct

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// A run is the coordinator's state. It belongs to one goroutine.
type run struct {
	cfg    plan.Config
	part   part // of the scenario
	plan   plan.Plan
	agents []*agent.Agent // of the plan's sites
	emit   func(record.Record)
	start  int64       // monotonic nanoseconds
	host   kernel.Host // read before the first process, like tally
	tally  kernel.Tally

	servers []*proc.Server
	workers []*worker
	inbox   chan letter
	died    chan error    // what a server died of, nil if that was meant
	quit    chan struct{} // closed when no one reads the other two
	waiting sync.WaitGroup
	seconds *time.Ticker
	alarm   <-chan time.Time // see pass

	phase       string
	ticked      record.Tick // the last
	kernelStart int64       // bytes
	interval    *hdrhistogram.Histogram
	rooms       []room
	lastArrival int64 // when a progress last had more receipts or replies, monotonic
	ongoing     []*activity
	replacedCPU int64 // of servers that others have taken the place of

	connecting connecting
	casting    casting
	strain     strain
}

// until takes what comes in until done is true. It fails when ctx ends or
// something dies.
func (r *run) until(ctx context.Context, done func() bool) error {
	for {
		if err := r.catchUp(); err != nil {
			return err
		}
		if done() {
			return nil
		}
		select {
		case l := <-r.inbox:
			if err := r.open(l); err != nil {
				return err
			}
		case err := <-r.died:
			if err != nil {
				return err
			}
		case <-r.seconds.C:
			r.tick()
		case <-r.alarm:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// catchUp takes the events that have come in meanwhile. To a coordinator that stood
// still all processes seem silent for long, but only because it has not read.
func (r *run) catchUp() error {
	for range len(r.inbox) { // it alone reads
		if err := r.open(<-r.inbox); err != nil {
			return err
		}
	}
	return nil
}

// pass waits for a moment: to the point, though nothing comes in.
func (r *run) pass(ctx context.Context, moment int64) error {
	timer := time.NewTimer(time.Duration(moment - order.Now()))
	defer timer.Stop()
	r.alarm = timer.C
	defer func() { r.alarm = nil }()
	return r.until(ctx, func() bool { return order.Now() >= moment })
}

// close ends what is left of all processes.
func (r *run) close() {
	r.seconds.Stop()
	close(r.quit)
	for _, w := range r.workers {
		r.waiting.Go(w.end)
	}
	for _, s := range r.servers {
		r.waiting.Go(func() { s.End(proc.Patience) })
	}
	r.waiting.Wait()
}

func (r *run) note(level, message string) {
	r.emit(record.Record{Note: &record.Note{AtMs: r.since(order.Now()), Level: level, Message: message}})
}

// since is milliseconds from the start of the run.
func (r *run) since(t int64) int64 { return (t - r.start) / 1e6 }

// ms is at least 1 for what took any time: 0 is not measured.
func ms(ns int64) int64 {
	if ns <= 0 {
		return 0
	}
	return cmp.Or(ns/1e6, 1)
}

// hold waits for d.
func (r *run) hold(ctx context.Context, d time.Duration) error {
	return r.pass(ctx, order.Now()+int64(d))
}
