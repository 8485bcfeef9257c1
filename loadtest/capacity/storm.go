package capacity

import (
	"math"
	"math/rand/v2"
)

// A Storm describes the reconnects after the process of one node has died.
type Storm struct {
	Clients  int     `json:"clients"` // that lose their connection
	Serves   float64 `json:"serves"`  // joins a second that a node has processors left for
	Peak     int     `json:"peak"`    // connects in the worst second, at the node that gets most; those that the dead one refuses do not count
	Refused  int     `json:"refused"` // tries at the dead node
	Back50   float64 `json:"back50"`  // seconds until half of them have joined again
	Back99   float64 `json:"back99"`
	Back     float64 `json:"back"`      // all
	MoreHear float64 `json:"more_hear"` // buckets that a survivor begins to listen to
}

// backoff are the seconds that the official client waits, without jitter, before a
// try: then always the last one.
var backoff = [...]float64{0.01, 0.05, 0.1, 0.15, 0.2, 0.25, 0.5, 1, 2, 5}

// storm simulates it. Node 0 is the one that dies.
func (c Config) storm(r *rand.Rand, m Measured, p Plan, bands []band) Storm {
	s := Storm{Clients: int(math.Ceil(p.Node.Clients))}
	joinUs := m.JoinUs.Value * float64(c.Workload.Topics)
	s.Serves = (c.Machine.Cores - p.Node.Cores.All) * 1e6 / joinUs
	busyUntil := make([]float64, p.Nodes)
	arrived := make([]int, p.Nodes) // in the second that begins at since
	since, back := 0.0, make([]float64, 0, s.Clients)
	now := 0.0
	for try, away := 0, s.Clients; away > 0; try++ {
		now += backoff[min(try, len(backoff)-1)]
		if now-since >= 1 {
			clear(arrived)
			since = now
		}
		for range away { // as many as there are before
			at := r.IntN(p.Nodes)
			if at == 0 && now < c.Down.Seconds() {
				s.Refused++
				continue
			}
			arrived[at]++
			s.Peak = max(s.Peak, arrived[at])
			away--
			busyUntil[at] = max(busyUntil[at], now) + 1/s.Serves
			back = append(back, busyUntil[at])
		}
	}
	s.Back50, s.Back99, s.Back = rank(back, 0.5), rank(back, 0.99), rank(back, 1)
	if p.Nodes > 2 {
		s.MoreHear = max(0, c.Workload.nats(p.Nodes-1, bands).Buckets-p.NATS.Buckets)
	}
	return s
}
