package conduct

import (
	"context"
	"errors"
	"runtime"
	"time"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
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
		seconds:     time.NewTicker(tickEvery(p)),
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
		r.connect,
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

// play is the stage of a run that its scenario is about.
func (r *run) play(ctx context.Context) error {
	defer func() { r.casting.done(r.serverUsage().CPUNs) }()
	return r.watched(ctx, func(ctx context.Context) error { return r.part.play(r, ctx) })
}
