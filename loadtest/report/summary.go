package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/record"
)

// Summary is a run in figures. A nil pointer means not measured.
type Summary struct {
	Ended       bool `json:"ended"`       // the records hold the end of the run; without it most figures are nil
	Interrupted bool `json:"interrupted"` // stopped by hand: the figures hold for what was done so far

	Scenario string `json:"scenario"` // "chat", "echo", "idle", "storm", "kill" or another of the load generator's

	Shortfall *record.Shortfall `json:"shortfall,omitempty"` // why clients are missing, or the run broke

	Clients    *int64           `json:"clients"` // asked for
	Joined     *int64           `json:"joined"`
	Broadcasts int              `json:"broadcasts"`
	Expected   *int64           `json:"expected"` // receipts: for each broadcast, the clients joined to its room
	Delivered  *int64           `json:"delivered"`
	Taken      int64            `json:"taken,omitempty"` // of these, by a program in the kernel for a client
	Lost       *int64           `json:"lost"`
	Unreadable int64            `json:"unreadable,omitempty"` // receipts that are not understood, neither delivered nor lost
	Away       *int64           `json:"away"`                 // missed while their receiver was cut off or had left: neither expected nor lost
	Duplicated *int64           `json:"duplicated"`
	Reordered  *int64           `json:"reordered"`
	ClosedLoop bool             `json:"closed_loop,omitempty"` // of a scenario file: users sent when they were free, and there is one latency; of echo see Echo
	Late       *int64           `json:"late"`                  // receipts, delivered all the same, later than the run's late_ns
	Errors     map[string]int64 `json:"errors"`                // by kind; empty if there were none, nil if not measured

	ClientTCP     string `json:"client_tcp,omitempty"`      // where the clients' TCP was: "kernel", "tun" or "bpf"; "" is kernel, in old records
	ClientTCPSays string `json:"client_tcp_says,omitempty"` // what that makes of the figures; "" for kernel

	TLS *Secured `json:"tls,omitempty"` // nil without TLS

	ConnectJoinPerSecond *float64 `json:"connect_join_per_second"` // from the first connect to the last join reply
	DeliveriesPerSecond  *float64 `json:"deliveries_per_second"`   // as the broadcasts were meant to follow each other, pauses included, or slower
	FanOutPerSecond      *float64 `json:"fan_out_per_second"`      // each broadcast from its send to its last receipt; nil if broadcasts overlap

	// What the scenario came to, broadcasts apart; nil in other scenarios.
	Echo     *Echo     `json:"echo,omitempty"`
	Idle     *Idle     `json:"idle,omitempty"`
	Comeback *Comeback `json:"comeback,omitempty"`
	Churn    *Churn    `json:"churn,omitempty"`
	Slow     *Slow     `json:"slow,omitempty"`
	Burst    *Burst    `json:"burst,omitempty"`
	Steps    []Step    `json:"steps,omitempty"`
	Others   []Other   `json:"others,omitempty"`

	// Bytes between "empty" and "joined", for each client joined by then; nil of who held
	// less then: that is no cost of a client.
	ServerBytesPerClient *float64 `json:"server_bytes_per_client"` // RSS of all server processes
	ClientBytesPerClient *float64 `json:"client_bytes_per_client"` // RSS of all client processes
	KernelBytesPerClient *float64 `json:"kernel_bytes_per_client"` // slab and TCP buffers of the whole host, so of both ends if both are on it
	MemorySays           string   `json:"memory_says,omitempty"`   // which of these is nil because less was held, and why that may be; "" if none is

	ServerCPUUsPerDelivery *float64 `json:"server_cpu_us_per_delivery"`
	ServerCPUUsPerJoin     *float64 `json:"server_cpu_us_per_join"` // connect and handshake included

	LatencyMs     *Percentiles `json:"latency_ms"`      // from the intended send to the receipt; in echo to the reply
	RawLatencyMs  *Percentiles `json:"raw_latency_ms"`  // the same from the actual send
	JoinLatencyMs *Percentiles `json:"join_latency_ms"` // from connect to the join reply

	Generator *Generator `json:"generator,omitempty"` // nil if it was not watched, as in old records

	Queue *Queue `json:"queue,omitempty"` // nil if none grew

	Thresholds []Threshold `json:"thresholds,omitempty"` // that were asked for

	ServerProcesses *int64   `json:"server_processes"`
	ClientProcesses *int64   `json:"client_processes"`
	LostExamples    []string `json:"lost_examples,omitempty"` // a few, for people
}

// Percentiles are latencies in milliseconds, exact to the microsecond or to
// the precision of the histogram, whichever is coarser.
type Percentiles struct {
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
	P99  float64 `json:"p99"`
	P999 float64 `json:"p999"`
	Max  float64 `json:"max"`
}

// complete says whether all that Verdict looks at was measured.
func (s Summary) complete() bool {
	return s.Ended && !slices.Contains([]*int64{s.Clients, s.Joined, s.Expected, s.Delivered, s.Lost, s.Duplicated, s.Reordered}, nil)
}

func (r *Result) summarize() Summary {
	s := Summary{Scenario: r.scenario(), Broadcasts: len(r.Broadcasts), Shortfall: r.shortfall, ClientTCP: r.clientTCP()}
	s.memory(r.memory)
	if r.end != nil {
		s.totals(r.end)
		s.DeliveriesPerSecond = ratio(r.end.Delivered*1000, r.broadcastMs())
	} else {
		s.soFar(r.ticks)
	}
	s.ClientTCPSays = r.tcpSays(s)
	s.Late = r.late()
	s.LatencyMs = percentiles(r.latency)
	s.RawLatencyMs = percentiles(r.raw)
	s.JoinLatencyMs = percentiles(r.joinLatency)
	s.FanOutPerSecond = fanOut(r.Broadcasts)
	return s
}

func (s *Summary) totals(e *record.End) {
	s.Ended, s.Interrupted = true, e.Interrupted
	s.Clients, s.Joined = &e.Clients, &e.Joined
	s.Expected, s.Delivered = &e.Expected, &e.Delivered
	s.Lost, s.Away, s.Duplicated, s.Reordered = &e.Lost, &e.Away, &e.Duplicated, &e.Reordered
	s.Taken, s.Unreadable, s.ClosedLoop = e.Taken, e.Unreadable, e.ClosedLoop
	s.Errors = counted(e.Errors)
	s.TLS = secured(e)
	s.ConnectJoinPerSecond = ratio(e.Joined*1000, e.ConnectMs)
	s.ServerCPUUsPerJoin = cpuEach(e.ConnectCPUNs, e.Joined)
	s.ServerCPUUsPerDelivery = cpuEach(e.BroadcastCPU, e.Delivered)
	s.ServerProcesses = measured(int64(e.ServerProcs))
	s.ClientProcesses = measured(int64(e.ClientProcs))
	s.LostExamples = e.LostExamples
}

// soFar fills in the little that is known of a run that never ended.
func (s *Summary) soFar(ticks []record.Tick) {
	if len(ticks) == 0 {
		return
	}
	last := &ticks[len(ticks)-1]
	s.Joined, s.Delivered = &last.Joined, &last.Delivered
	s.Errors = counted(last.Errors)
}

// late is nil of a run that had no limit to be late by.
func (r *Result) late() *int64 {
	if r.end == nil || r.Run == nil || r.Run.Config["late_ns"] == nil {
		return nil
	}
	return &r.end.Late
}

func (s *Summary) memory(bill func(when string) (record.Memory, bool)) {
	empty, ok1 := bill("empty")
	joined, ok2 := bill("joined")
	if !ok1 || !ok2 {
		return
	}
	each := func(name, because string, before, after int64) *float64 {
		switch {
		case before == 0 || after == 0 || joined.Clients == 0: // no process is that small: it was not read
			return nil
		case after < before:
			s.MemorySays += fmt.Sprintf("Memory per client, %s: not measurable, because it held %s when all had joined, and %s before: %s. ",
				name, size(float64(after)), size(float64(before)), because)
			return nil
		}
		return ratio(after-before, joined.Clients)
	}
	const reclaimed = "the kernel reclaimed pages that it can read again, as it does when memory is short"
	s.ServerBytesPerClient = each("server", reclaimed, empty.ServerRSS, joined.ServerRSS)
	s.ClientBytesPerClient = each("client", reclaimed, empty.ClientRSS, joined.ClientRSS)
	s.KernelBytesPerClient = each("kernel", "something else on the host freed more", empty.KernelBytes, joined.KernelBytes)
	s.MemorySays = strings.TrimSpace(s.MemorySays)
}

func percentiles(h *hdrhistogram.Histogram) *Percentiles {
	if h == nil {
		return nil
	}
	at := func(percent float64) float64 { return float64(h.ValueAtPercentile(percent)) / 1000 }
	return &Percentiles{P50: at(50), P90: at(90), P99: at(99), P999: at(99.9), Max: float64(h.Max()) / 1000}
}

// ratio is nil when there is nothing to divide by.
func ratio(total, by int64) *float64 {
	if by <= 0 {
		return nil
	}
	q := float64(total) / float64(by)
	return &q
}

// cpuEach returns microseconds. No work is done in 0 ns: that is CPU time
// which was not read.
func cpuEach(ns, by int64) *float64 {
	if ns == 0 {
		return nil
	}
	return ratio(ns, by*1000)
}

// counted tells no errors from errors that were not counted.
func counted(errors map[string]int64) map[string]int64 {
	if errors == nil {
		return map[string]int64{}
	}
	return errors
}

func measured(n int64) *int64 {
	if n == 0 {
		return nil
	}
	return &n
}
