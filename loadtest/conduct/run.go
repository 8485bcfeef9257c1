package conduct

import (
	"cmp"
	"context"
	"errors"
	"runtime"
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

// Run makes a run: it starts what the plan says, connects all clients,
// broadcasts, and ends it all again. The agents are those whose sites the plan is
// for; none means that all is on this host. Each record is given to emit, in order,
// on the calling goroutine.
//
// That messages were lost or clients refused is no error, it is in the records.
// When ctx ends, the run is cut short, and the error is the cause. Any other
// error is a broken run: something could not be started or died. Both still get
// an End, of what was done so far.
func Run(ctx context.Context, cfg plan.Config, p plan.Plan, agents []*agent.Agent, emit func(record.Record)) error {
	// The kernel ties a child's life to the thread that started it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	r := newRun(cfg.Complete(), p, agents, emit)
	defer r.close()
	err := r.stages(ctx)
	if err != nil && ctx.Err() == nil {
		r.note("error", err.Error())
	}
	r.explainShortfall(ctx, err)
	closing := closing{run: r, complete: err == nil}
	return errors.Join(err, closing.finish())
}

// A run is the coordinator's state. It belongs to one goroutine.
type run struct {
	cfg    plan.Config
	part   part // of the scenario
	plan   plan.Plan
	agents []*agent.Agent // of the plan's sites
	emit   func(record.Record)
	start  int64       // monotonic nanoseconds
	host   kernel.Host // before the first process, as is tally
	tally  kernel.Tally

	servers []*proc.Server
	workers []*worker
	inbox   chan letter
	died    chan error    // what a server died of, nil if that was meant
	quit    chan struct{} // closed when nobody reads the other two
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
}

func newRun(cfg plan.Config, p plan.Plan, agents []*agent.Agent, emit func(record.Record)) *run {
	r := &run{
		cfg:         cfg,
		part:        partOf(cfg.Scenario),
		plan:        p,
		agents:      agents,
		emit:        emit,
		start:       order.Now(),
		inbox:       make(chan letter, 256),
		died:        make(chan error),
		quit:        make(chan struct{}),
		seconds:     time.NewTicker(tickEvery),
		phase:       "settle",
		kernelStart: kernelBytes(),
		interval:    order.NewHistogram(2),
	}
	for range p.Rooms {
		r.rooms = append(r.rooms, newRoom(p))
	}
	return r
}

// stages is the run from the first process to the last receipt.
func (r *run) stages(ctx context.Context) error {
	for _, stage := range []func(context.Context) error{
		r.begin,
		func(ctx context.Context) error { return r.memory(ctx, "empty") },
		func(ctx context.Context) error { return r.connecting.connect(ctx, r) },
		func(ctx context.Context) error { return r.memory(ctx, "joined") },
		r.play,
		func(ctx context.Context) error { return r.memory(ctx, "after") },
	} {
		if err := stage(ctx); err != nil {
			return err
		}
	}
	return nil
}

// until takes what comes in until done is true. It fails when ctx ends or
// something dies.
func (r *run) until(ctx context.Context, done func() bool) error {
	for !done() {
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
