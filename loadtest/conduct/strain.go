package conduct

import (
	"context"
	"slices"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
	"github.com/roost-rt/roost/loadtest/record"
)

// A strain is how well the load generator keeps up while the scenario plays.
type strain struct {
	plays     bool
	late, lag *hdrhistogram.Histogram // as in order.Strain, of all processes
	before    reading

	lateMost, lagMost int64 // since the last tick, in microseconds
}

// A reading holds the counters as they stood at one moment.
type reading struct {
	moment      int64 // monotonic
	server      int64 // CPU time, as are the next two
	coordinator int64
	clients     []order.Usage // by worker
	hosts       []order.Host  // likewise: that it is on
	waits       []int64       // likewise: that its threads waited for a processor
}

func (r *run) read() reading {
	now := reading{moment: order.Now(), server: r.serverUsage().CPUNs}
	if len(r.cfg.ClientCommand) > 0 { // else we are the clients
		now.coordinator = proc.OwnUsage().CPUNs
	}
	for _, w := range r.workers {
		now.clients, now.hosts = append(now.clients, w.used), append(now.hosts, w.strain.Host)
		now.waits = append(now.waits, w.strain.WaitNs)
	}
	return now
}

// watched plays a scenario and records how well the load generator kept up. What
// strained it before does not count: there were joins and garbage collections.
func (r *run) watched(ctx context.Context, play func(context.Context) error) error {
	if _, err := r.edge(ctx, order.Inquiry{}); err != nil {
		return err
	}
	r.strain = strain{plays: true, late: order.NewHistogram(3), lag: order.NewHistogram(3), before: r.read()}
	err := play(ctx)
	if err == nil {
		_, err = r.edge(ctx, order.Inquiry{})
	}
	r.strain.plays = false
	r.emit(record.Record{Generator: r.strained()})
	return err
}

// take takes what strained a process since it told last.
func (s *strain) take(told order.Strain) {
	if !s.plays {
		return
	}
	told.Late.Into(s.late)
	told.Lag.Into(s.lag)
	s.lateMost, s.lagMost = max(s.lateMost, told.Late.Percentile(100)), max(s.lagMost, told.Lag.Percentile(100))
}

// strained is the account of the time since before.
func (r *run) strained() *record.Generator {
	was, is := r.strain.before, r.read()
	var link order.Link
	for _, w := range r.workers {
		link.Add(w.link)
	}
	g := &record.Generator{
		AtMs: r.since(was.moment), Ms: ms(is.moment - was.moment),
		Late: order.Encode(r.strain.late), Lag: order.Encode(r.strain.lag),
		ServerCPUNs:      max(0, is.server-was.server),
		CoordinatorCPUNs: max(0, is.coordinator-was.coordinator),
		LinkDropped:      link.Dropped,
		LinkResent:       link.Resent,
		LinkRepeated:     link.Repeated,
		ServerElsewhere:  r.cfg.URL != "" && !r.plan.Local && r.cfg.ServerPID == 0,
	}
	for i := range r.workers {
		cpu, wait := is.clients[i].CPUNs-was.clients[i].CPUNs, is.waits[i]-was.waits[i]
		g.ClientCPUNs += max(0, cpu)
		g.ClientMostNs = max(g.ClientMostNs, cpu)
		g.ClientWaitNs += max(0, wait)
	}
	for i, name := range r.sites() {
		g.Hosts = append(g.Hosts, hostRecord(name, is.hosts[i].Since(was.hosts[i])))
	}
	return g
}

// sites are the hosts that clients are on, each by the first worker there. This
// one has no name.
func (r *run) sites() map[int]string {
	if len(r.agents) == 0 {
		return map[int]string{0: ""}
	}
	first := make(map[int]string)
	for site, a := range r.agents {
		if i := slices.Index(r.plan.Sites, site); i >= 0 {
			first[i] = a.Addr
		}
	}
	return first
}

// hostRecord returns the record of how a host fared, under a name.
func hostRecord(name string, h order.Host) record.Host {
	rec := record.Host{Name: name, Cores: h.Cores, BusyNs: h.BusyNs, StolenNs: h.StolenNs, WaitNs: h.WaitNs, ShortNs: h.ShortNs}
	for _, ns := range h.SoftNs {
		rec.SoftNs += ns
		rec.SoftMostNs = max(rec.SoftMostNs, ns)
	}
	for link, ns := range h.LinkNs {
		if ns > rec.LinkNs {
			rec.Link, rec.LinkNs = link, ns
		}
	}
	return rec
}
