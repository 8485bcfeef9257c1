package report

import (
	"fmt"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// Generator judges the instrument: whether the figures of a run are the server's,
// or may be the load generator's own, and what the run was bound by.
type Generator struct {
	OK           bool         `json:"ok"`
	Because      []string     `json:"because,omitempty"` // why it is suspect
	LateMs       *Percentiles `json:"late_ms"`           // sends after their moments; nil in a closed loop
	LagMs        *Percentiles `json:"lag_ms"`            // how long event loops of clients let a connection wait
	ServerCores  *float64     `json:"server_cores"`      // CPU time by time: 1 is one processor fully used
	ClientCores  *float64     `json:"client_cores"`      // all client processes, and the coordinator
	BusiestCores *float64     `json:"busiest_client_cores"`
	BusyPercent  *float64     `json:"busy_percent"` // of the processors of the busiest host with clients
	Bottleneck   string       `json:"bottleneck"`   // "server CPU", "client CPU", "kernel (softirq)", "other programs", "other guests", "memory", "link", "none: waiting"
	Evidence     string       `json:"evidence"`
}

// What makes a generator suspect. Latencies are compared with the p99 latency of
// the run: what is a small part of it does not make it.
const (
	mostLateMs   = 10.0 // p99 of late sends, or
	mostLatePart = 10.0 // this part of the p99 latency
	mostLagMs    = 20.0 // p99 of the lag of event loops, or
	mostLagPart  = 2.0  // this part of the p99 latency

	mostBusy    = 90.0 // percent, of all processors of a host
	mostLoop    = 90.0 // percent of a processor, of a client process: it has one event loop
	mostSoft    = 80.0 // percent of a processor, in interrupts and softirq
	mostStolen  = 5.0  // percent of all processors, by other guests
	mostWaiting = 5.0  // percent of the time, for memory
	mostLink    = 90.0 // percent of its speed
)

// generatorSays tells readers of a page the thresholds.
const generatorSays = "The generator is ok while the p99 of late sends is at most 10 ms or a tenth of the p99 latency, " +
	"the p99 of the event loops' lag at most 20 ms or half of it, the processors of its hosts at most 90% busy, its busiest process and the busiest processor in softirq " +
	"at most 90% and 80% of one processor, other guests take at most 5% of them, programs wait for memory at most 5% of the time, no link is more than 90% used, " +
	"and between servers and clients without sockets no packet was lost. " +
	"All figures cover the time in which the scenario ran."

// generator judges the generator of the run; nil if it was not watched.
func (r *Result) generator(latency *Percentiles) (*Generator, error) {
	rec := r.watched
	if rec == nil || rec.Ms == 0 {
		return nil, nil
	}
	g := &Generator{
		ServerCores: cores(rec.ServerCPUNs, rec.Ms), BusiestCores: cores(rec.ClientMostNs, rec.Ms),
		ClientCores: cores(rec.ClientCPUNs+rec.CoordinatorCPUNs, rec.Ms),
	}
	for _, h := range []struct {
		name string
		from []byte
		to   **Percentiles
	}{{"late", rec.Late, &g.LateMs}, {"lag", rec.Lag, &g.LagMs}} {
		decoded, err := decode(h.name, h.from)
		if err != nil {
			return nil, err
		}
		*h.to = percentiles(decoded)
	}
	g.judge(rec, latency)
	g.Bottleneck, g.Evidence = bottleneck(rec)
	return g, nil
}

func cores(ns, ms int64) *float64 { return ratio(ns, ms*1e6) }

func (g *Generator) judge(rec *record.Generator, latency *Percentiles) {
	suspect := func(format string, args ...any) { g.Because = append(g.Because, fmt.Sprintf(format, args...)) }
	p99 := 0.0
	if latency != nil {
		p99 = latency.P99
	}
	if l := g.LateMs; l != nil && l.P99 > max(mostLateMs, p99/mostLatePart) {
		suspect("one send in a hundred was %s late or more", milliseconds(l.P99))
	}
	if l := g.LagMs; l != nil && l.P99 > max(mostLagMs, p99/mostLagPart) {
		suspect("its event loops kept connections waiting, 1%% of the time %s or more", milliseconds(l.P99))
	}
	if share := percentOf(rec.ClientMostNs, rec.Ms, 1); share > mostLoop {
		suspect("one of its processes used %.0f%% of a processor, and has one event loop", share)
	}
	if n := rec.LinkDropped; n > 0 {
		suspect("packets between servers and clients were dropped: %s", count(n))
	}
	if n := rec.LinkRepeated; n > 0 {
		suspect("servers had to retransmit segments that clients acknowledged too late: %s", count(n))
	}
	if n := rec.LinkResent; n > 0 {
		suspect("clients had to retransmit segments: %s", count(n))
	}
	for _, h := range rec.Hosts {
		busy := percentOf(h.BusyNs, rec.Ms, h.Cores)
		if g.BusyPercent == nil || busy > *g.BusyPercent {
			g.BusyPercent = &busy
		}
		for _, limit := range []struct {
			share, most float64
			says        string
		}{
			{busy, mostBusy, "the processors of %s were %.0f%% busy"},
			{percentOf(h.SoftMostNs, rec.Ms, 1), mostSoft, "a processor of %s was %.0f%% in softirq"},
			{percentOf(h.StolenNs, rec.Ms, h.Cores), mostStolen, "other guests of the machine took from %s %.0f%% of its processors"},
			{percentOf(h.ShortNs, rec.Ms, 1), mostWaiting, "programs on %s waited for memory %.0f%% of the time"},
			{percentOf(h.LinkNs, rec.Ms, 1), mostLink, "a link of %s was %.0f%% used"},
		} {
			if limit.share > limit.most {
				suspect(limit.says, hostName(h), limit.share)
			}
		}
	}
	g.OK = len(g.Because) == 0
}

// String is the judgement in one line.
func (g *Generator) String() string {
	if g.OK {
		return "generator: ok"
	}
	return "generator: suspect, because " + strings.Join(g.Because, "; ")
}

// Says tells the thresholds.
func (g *Generator) Says() string { return generatorSays }

// Measures returns the figures it was judged by, in a line.
func (g *Generator) Measures() string {
	p99 := func(p *Percentiles) string {
		if p == nil {
			return "–"
		}
		return milliseconds(p.P99)
	}
	percent := func(v float64) string { return fmt.Sprintf("%.0f%%", v) }
	return fmt.Sprintf("late sends p99 %s, lag of event loops p99 %s, processors busy %s, CPU in cores: clients %s, server %s",
		p99(g.LateMs), p99(g.LagMs), show(g.BusyPercent, percent), show(g.ClientCores, threeDigits), show(g.ServerCores, threeDigits))
}

// bottleneck names what bound the run, and what says so.
func bottleneck(rec *record.Generator) (name, evidence string) {
	busiest := 0.0
	for _, h := range rec.Hosts {
		busy := percentOf(h.BusyNs, rec.Ms, h.Cores)
		busiest = max(busiest, busy)
		switch {
		case percentOf(h.ShortNs, rec.Ms, 1) > mostWaiting:
			return "memory", fmt.Sprintf("programs on %s waited for it %.0f%% of the time", hostName(h), percentOf(h.ShortNs, rec.Ms, 1))
		case percentOf(h.LinkNs, rec.Ms, 1) > mostLink:
			return "link", fmt.Sprintf("%s of %s was %.0f%% used", h.Link, hostName(h), percentOf(h.LinkNs, rec.Ms, 1))
		case busy > mostBusy:
			return whoTook(rec, h)
		case percentOf(h.SoftMostNs, rec.Ms, 1) > mostSoft:
			return kernelSoft, fmt.Sprintf("a processor of %s was in it %.0f%% of the time", hostName(h), percentOf(h.SoftMostNs, rec.Ms, 1))
		}
	}
	if share := percentOf(rec.ClientMostNs, rec.Ms, 1); share > mostLoop {
		return clientCPU, fmt.Sprintf("a client process used %.0f%% of a processor, and has one event loop", share)
	}
	evidence = fmt.Sprintf("the processors were at most %.0f%% busy", busiest)
	if rec.ServerElsewhere {
		evidence += "; this covers the clients alone: limits of the server's host, or of the way there, cannot be seen from here"
	}
	return "none: waiting", evidence
}

const (
	kernelSoft = "kernel (softirq)"
	clientCPU  = "client CPU"
)

// whoTook says who had the most of the processors of a host that were all busy.
// Where there are several hosts with clients, none is asked who else is there.
func whoTook(rec *record.Generator, h record.Host) (name, evidence string) {
	type part struct {
		name, of string
		ns       int64
	}
	clients := rec.ClientCPUNs + rec.CoordinatorCPUNs
	parts := []part{{kernelSoft, "softirq", h.SoftNs}, {"other guests", "other guests", h.StolenNs}}
	if rest := max(0, h.BusyNs-h.SoftNs-h.StolenNs); len(rec.Hosts) > 1 {
		parts = append(parts, part{clientCPU, "clients and others", rest})
	} else {
		server := rec.ServerCPUNs
		parts = append(parts, part{"server CPU", "server", server}, part{clientCPU, "clients", clients},
			part{"other programs", "other programs", max(0, rest-server-clients)})
	}
	most, shares := parts[0], []string{}
	for _, p := range parts {
		if p.ns > most.ns {
			most = p
		}
		if percentOf(p.ns, rec.Ms, h.Cores) >= 0.5 {
			shares = append(shares, fmt.Sprintf("%s %.0f%%", p.of, percentOf(p.ns, rec.Ms, h.Cores)))
		}
	}
	evidence = fmt.Sprintf("the processors of %s were %.0f%% busy: %s", hostName(h), percentOf(h.BusyNs, rec.Ms, h.Cores), strings.Join(shares, ", "))
	if rec.ServerCPUNs > 0 && !rec.ServerElsewhere && len(rec.Hosts) == 1 {
		evidence += "; server and clients share them, so each slows the other"
	}
	return most.name, evidence
}

func percentOf(ns, ms int64, of int) float64 {
	return float64(ns) / 1e4 / float64(max(1, ms)) / float64(max(1, of))
}

func hostName(h record.Host) string {
	if h.Name == "" {
		return "this host"
	}
	return h.Name
}
