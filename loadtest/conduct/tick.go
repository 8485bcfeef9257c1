package conduct

import (
	"cmp"
	"context"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// outageEvery is the longest time between two ticks while servers are down. With a
// longer one it would not show how long their clients are gone.
const outageEvery = time.Second / 2

// tickEvery is the time between two ticks.
func tickEvery(p plan.Plan) time.Duration { return cmp.Or(p.Tick, time.Second) }

// enter begins a phase, and shows what the last one came to: it may have been
// shorter than the time between two ticks.
func (r *run) enter(phase string) {
	// Counts are from different moments: of a short time they make no rate.
	seen := r.ticked.Phase == r.phase && r.since(order.Now())-r.ticked.AtMs < min(outageEvery, tickEvery(r.plan)).Milliseconds()
	if phase != r.phase && !seen {
		r.tick()
	}
	r.phase = phase
}

// tickNow records the state of the run by counts of this moment.
func (r *run) tickNow(ctx context.Context) error {
	_, err := r.edge(ctx, order.Inquiry{})
	if err == nil {
		r.tick()
	}
	return err
}

// tick records the state of the run.
func (r *run) tick() {
	c, server, client := r.counts(), r.serverUsage(), r.clientUsage()
	t := &record.Tick{
		AtMs:        r.since(order.Now()),
		Phase:       r.phase,
		Connected:   c.Connected - c.Disconnected,
		Joined:      c.Joined,
		Present:     min(c.Present(), c.Connected-c.Disconnected), // a client that fails where none comes back has not left
		Sent:        c.Sent,
		Delivered:   c.Delivered,
		Replies:     c.Replies,
		Heartbeats:  c.Beats,
		Errors:      c.Errors,
		ServerRSS:   server.RSS,
		ServerCPUNs: server.CPUNs,
		ClientRSS:   client.RSS,
		ClientCPUNs: client.CPUNs,
		KernelBytes: max(0, kernelBytes()-r.kernelStart),
	}
	if r.interval.TotalCount() > 0 {
		t.P50Us, t.P99Us = r.interval.ValueAtPercentile(50), r.interval.ValueAtPercentile(99)
		r.interval.Reset()
	}
	t.LateUs, t.LagUs = r.strain.lateMost, r.strain.lagMost
	r.strain.lateMost, r.strain.lagMost = 0, 0
	r.ticked = *t
	r.emit(record.Record{Tick: t})
}

// kernelBytes is the memory that the kernel holds on the whole host, 0 if it is not
// known.
func kernelBytes() int64 { return int64(max(0, root.MemoryOfKernel())) }

// serverUsage returns the usage of all servers, with the CPU time of those that have
// ended.
func (r *run) serverUsage() order.Usage {
	sum := order.Usage{CPUNs: r.replacedCPU}
	for _, s := range r.servers {
		sum.Add(s.Usage())
	}
	if r.cfg.ServerPID != 0 {
		sum.Add(proc.Measure(r.cfg.ServerPID))
	}
	return sum
}

func (r *run) clientUsage() (sum order.Usage) {
	for _, w := range r.workers {
		sum.Add(w.usage())
	}
	return sum
}
