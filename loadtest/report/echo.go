package report

import (
	"fmt"
)

// Echo holds the results of the pings of that scenario. The summary has their latencies.
type Echo struct {
	ClosedLoop          bool     `json:"closed_loop,omitempty"` // a client pings when it was answered: none is ever late, and there is one latency; false in old records
	Replies             int64    `json:"replies"`
	RepliesPerSecond    *float64 `json:"replies_per_second"`
	ServerCPUUsPerReply *float64 `json:"server_cpu_us_per_reply"`
	ClientCPUUsPerReply *float64 `json:"client_cpu_us_per_reply"`
}

var echo = kind{
	name:     "echo",
	pings:    true,
	silent:   true,
	settings: []string{"in_flight", "for_ns", "rate", "size", "drain_ns"},
	read:     func(r *Result, s *Summary) error { s.Echo = r.echo(); return nil },
	lacks: func(s Summary) string {
		if s.Echo == nil || s.Echo.Replies == 0 {
			return "no ping was answered"
		}
		return ""
	},
	headline: func(s Summary) string {
		if s.Echo == nil {
			return ""
		}
		return fmt.Sprintf("%s pings of %s clients answered", count(s.Echo.Replies), count(*s.Joined))
	},
	blocks: func(s Summary) []block {
		e := s.Echo
		if e == nil {
			return nil
		}
		return []block{single("echo", []string{"replies", "rate", "CPU/reply", "client CPU"},
			count(e.Replies), show(e.RepliesPerSecond, rate), show(e.ServerCPUUsPerReply, duration), show(e.ClientCPUUsPerReply, duration))}
	},
	cards: func(s Summary) []card {
		e := s.Echo
		if e == nil {
			return nil
		}
		return []card{
			{"Pings answered", show(e.RepliesPerSecond, rate), count(e.Replies) + " in all"},
			latencyCard("Latency p99", s.LatencyMs),
			s.memoryCard(),
			{"Server CPU per reply", show(e.ServerCPUUsPerReply, duration), "client " + show(e.ClientCPUUsPerReply, duration)},
			s.joinsCard(),
		}
	},
	charts: func(_ *Result, t timeline) []chart { return []chart{t.replies()} },
}

func (r *Result) echo() *Echo {
	a := r.activity("echo")
	if a == nil {
		return nil
	}
	return &Echo{a.ClosedLoop, a.Count, ratio(a.Count*1000, a.Ms), cpuEach(a.ServerCPUNs, a.Count), cpuEach(a.ClientCPUNs, a.Count)}
}

// closedLoop reports whether it is the answers that set the pace.
func (s Summary) closedLoop() bool { return s.ClosedLoop || s.Echo != nil && s.Echo.ClosedLoop }
