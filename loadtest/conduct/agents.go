package conduct

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/agent"
	"github.com/roost-rt/roost/loadtest/order"
)

// startWorker starts process i of the plan, wherever it is to be.
func (r *run) startWorker(i int) (*worker, error) {
	if len(r.agents) == 0 {
		return startWorker(i, r.cfg.ClientCommand, r.plan.ClientProcs, r.inbox, r.quit)
	}
	p, stdout, err := r.agentOf(i).Start(i, r.plan.ClientProcs)
	if err != nil {
		return nil, err
	}
	return newWorker(i, p, p, stdout, r.inbox, r.quit), nil
}

// clock returns the difference that process i adds to its clock to get ours.
func (r *run) clock(i int) int64 {
	if len(r.agents) == 0 {
		return 0
	}
	return -int64(r.agentOf(i).Clock.Ahead)
}

// agentLead is how long before a common start the agents are told.
const agentLead = 200 * time.Millisecond

// common is a moment at which processes can start together wherever they are.
func (r *run) common() int64 {
	if len(r.agents) == 0 {
		return order.Now()
	}
	return order.Now() + int64(agentLead)
}

// agentOf is where process i of the plan is, if there are agents.
func (r *run) agentOf(i int) *agent.Agent { return r.agents[r.plan.Sites[i]] }

// used are the agents that have a process of the plan.
func (r *run) used() (list []*agent.Agent) {
	for i, a := range r.agents {
		if slices.Contains(r.plan.Sites, i) {
			list = append(list, a)
		}
	}
	return list
}

// tellAgents notes what a reader must know of the agents.
func (r *run) tellAgents() {
	var within []time.Duration
	for _, a := range r.used() {
		r.note("info", fmt.Sprintf("agent %s: clock offset %s", a.Addr, a.Clock))
		within = append(within, a.Clock.Within)
	}
	if len(within) == 0 {
		return
	}
	worst := slices.Max(within)
	if len(within) > 1 { // the sender's offset and the receiver's
		slices.Sort(within)
		worst += within[len(within)-2]
	}
	r.note("info", fmt.Sprintf("latencies are corrected by the offsets; from one machine to another they are known to ± %.3f ms", float64(worst)/1e6))
	r.note("info", "memory and CPU time of the clients are those of their processes at the agents; kernel memory and the memory left are of the coordinator's host alone")
}

// driftWorthNoting is more than clocks that NTP keeps drift apart in a run.
const driftWorthNoting = time.Millisecond

// compareAgain warns of clocks that did not run at one speed.
func (r *run) compareAgain(ctx context.Context) {
	for _, a := range r.used() {
		if a.IsLost() {
			continue // the run broke by it, or soon will
		}
		now, err := a.CompareClocks(ctx)
		if err != nil {
			r.note("warn", fmt.Sprintf("the drift of the clocks is unknown: %v", err))
			continue
		}
		drift := now.Ahead - a.Clock.Ahead
		if drift.Abs() > max(driftWorthNoting, now.Within+a.Clock.Within) {
			r.note("warn", fmt.Sprintf("agent %s: clock offset was %s at the start and is %s at the end: latencies from and to it are off by up to the difference",
				a.Addr, a.Clock, now))
		}
	}
}
