package swarm

import "github.com/roost-rt/roost/loadtest/record"

// tick records the state of the run.
func (r *run) tick() {
	c, server, client := r.counts(), r.serverUsage(), r.clientUsage()
	t := &record.Tick{
		AtMs:        r.since(monotonic()),
		Phase:       r.phase,
		Connected:   c.Connected - c.Disconnected,
		Joined:      c.Joined,
		Sent:        c.Sent,
		Delivered:   c.Delivered,
		Replies:     c.Replies,
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
	r.emit(record.Record{Tick: t})
}

// serverUsage is what all servers take, with the CPU time of those that have
// ended.
func (r *run) serverUsage() usage {
	sum := usage{CPUNs: r.replacedCPU}
	for _, s := range r.servers {
		sum.add(s.usage())
	}
	if r.cfg.ServerPID != 0 {
		sum.add(measure([]int{r.cfg.ServerPID}))
	}
	return sum
}

func (r *run) clientUsage() (sum usage) {
	for _, w := range r.workers {
		sum.add(w.usage())
	}
	return sum
}
