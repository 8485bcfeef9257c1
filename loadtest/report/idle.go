package report

import (
	"fmt"
)

// Idle holds the results of the heartbeats of that scenario.
type Idle struct {
	Heartbeats              int64    `json:"heartbeats"` // answered
	HeartbeatsPerSecond     *float64 `json:"heartbeats_per_second"`
	ServerCPUUsPerHeartbeat *float64 `json:"server_cpu_us_per_heartbeat"` // all that an idle server does, told to its heartbeats
}

var idle = kind{
	name:     "idle",
	silent:   true,
	settings: []string{"for_ns"},
	read:     func(r *Result, s *Summary) error { s.Idle = r.idle(); return nil },
	lacks: func(s Summary) string {
		if s.Idle == nil || s.Idle.Heartbeats == 0 {
			return "no heartbeat was answered: was the run long enough for one?"
		}
		return ""
	},
	headline: func(s Summary) string {
		if s.Idle == nil {
			return ""
		}
		return fmt.Sprintf("%s heartbeats of %s clients answered", count(s.Idle.Heartbeats), count(*s.Joined))
	},
	blocks: func(s Summary) []block {
		i := s.Idle
		if i == nil {
			return nil
		}
		return []block{single("idle", []string{"heartbeats", "rate", "CPU each"},
			count(i.Heartbeats), show(i.HeartbeatsPerSecond, rate), show(i.ServerCPUUsPerHeartbeat, duration))}
	},
	cards: func(s Summary) []card {
		i := s.Idle
		if i == nil {
			return nil
		}
		return []card{
			{"Heartbeats answered", show(i.HeartbeatsPerSecond, rate), count(i.Heartbeats) + " in all"},
			latencyCard("Join latency p99", s.JoinLatencyMs),
			s.memoryCard(),
			{"Server CPU per heartbeat", show(i.ServerCPUUsPerHeartbeat, duration), "everything an idle server does"},
			s.joinsCard(),
		}
	},
	charts: func(r *Result, t timeline) []chart {
		if r.Summary.Idle == nil {
			return nil
		}
		return []chart{t.heartbeats()}
	},
}

func (r *Result) idle() *Idle {
	a := r.activity("idle")
	if a == nil {
		return nil
	}
	return &Idle{a.Count, ratio(a.Count*1000, a.Ms), cpuEach(a.ServerCPUNs, a.Count)}
}
