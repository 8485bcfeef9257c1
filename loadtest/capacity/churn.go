package capacity

import "math/rand/v2"

// Churn counts what clients move as they come and go, a second.
type Churn struct {
	Joins    float64 `json:"joins"`    // of clients, at one node
	Topics   float64 `json:"topics"`   // that get their first subscriber there
	Gains    float64 `json:"gains"`    // buckets that it begins to listen to
	Losses   float64 `json:"losses"`   // and that it leaves
	Messages float64 `json:"messages"` // in NATS, of all nodes: what a gain makes them say
	Bytes    float64 `json:"bytes"`    // likewise
	Seconds  float64 `json:"seconds"`  // that were simulated
}

const (
	warmUp       = 2 * lingers // seconds: a bucket that lost its topics at the start is left by then
	churnSeconds = 120
	lingers      = 30   // seconds, of package pubsub/cluster: six beats
	gather       = 0.02 // likewise
)

// A listener is one node of the simulation of churn.
type listener struct {
	room   draw
	topics map[int]int32 // members here, by room
	inside [buckets]int32
	idle   [buckets]float64 // since when a bucket has no topics; 0 if it has, or no one listens
	on     [buckets]bool
	spoke  float64 // when it last said hello

	first, gains, losses, hellos float64
}

// bucketOf spreads rooms over the buckets, as the hash of their topics does.
func bucketOf(room int) int { return int(uint64(room) * 0x9e3779b97f4a7c15 >> 54) }

func (l *listener) join(room int, now float64) {
	l.topics[room]++
	if l.topics[room] > 1 {
		return
	}
	b := bucketOf(room)
	l.first++
	l.inside[b]++
	l.idle[b] = 0
	if l.on[b] {
		return
	}
	l.on[b] = true
	l.gains++
	if now-l.spoke >= gather {
		l.spoke = now
		l.hellos++
	}
}

func (l *listener) leave(room int, now float64) {
	if l.topics[room]--; l.topics[room] > 0 {
		return
	}
	delete(l.topics, room)
	b := bucketOf(room)
	if l.inside[b]--; l.inside[b] == 0 {
		l.idle[b] = now
	}
}

// forget leaves buckets that have had no topics for long. It is called once a second.
func (l *listener) forget(now float64) {
	for b, since := range l.idle {
		if since > 0 && now-since >= lingers {
			l.on[b], l.idle[b] = false, 0
			l.losses++
		}
	}
}

// churn simulates one node, on which each client that leaves makes room for another.
func (c Config) churn(r *rand.Rand, p Plan, bands []band) Churn {
	l := &listener{room: newDraw(bands), topics: make(map[int]int32)}
	members := make([]int, max(1, int(p.Node.Clients))*c.Workload.Topics)
	for i := range members {
		members[i] = l.room.room(r)
		l.join(members[i], 1)
	}
	perSecond := float64(len(members)) / c.Workload.Stay.Seconds()
	second := 1.0
	for now := 1.0; ; {
		now += r.ExpFloat64() / perSecond
		for ; second <= min(now, warmUp+churnSeconds); second++ {
			l.forget(second)
			if second == warmUp {
				l.first, l.gains, l.losses, l.hellos = 0, 0, 0, 0
			}
		}
		if now >= warmUp+churnSeconds {
			break
		}
		i := r.IntN(len(members))
		l.leave(members[i], now)
		members[i] = l.room.room(r)
		l.join(members[i], now)
	}
	nodes := float64(p.Nodes)
	said := 2 * nodes * (nodes - 1) * l.hellos / churnSeconds // a hello at each other node, and its answer
	return Churn{
		Joins: perSecond / float64(c.Workload.Topics), Topics: l.first / churnSeconds,
		Gains: l.gains / churnSeconds, Losses: l.losses / churnSeconds,
		Messages: said, Bytes: said * (natsAround + rowBytes*p.NATS.Buckets), Seconds: churnSeconds,
	}
}
