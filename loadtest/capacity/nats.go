package capacity

import "math"

// NATS counts the traffic of the NATS servers for all nodes together, a second.
type NATS struct {
	InMessages  float64 `json:"in_messages"`  // that nodes publish
	OutMessages float64 `json:"out_messages"` // that it hands to nodes
	InBytes     float64 `json:"in_bytes"`
	OutBytes    float64 `json:"out_bytes"`
	Beats       float64 `json:"beats"`      // of OutMessages
	BeatBytes   float64 `json:"beat_bytes"` // of OutBytes
	Subjects    float64 `json:"subjects"`   // that nodes listen to, each counted
	Buckets     float64 `json:"buckets"`    // of the 1,024 that one node listens to
}

// nats returns the traffic that n nodes cause. A single node causes none.
func (w Workload) nats(n int, bands []band) NATS {
	if n < 2 {
		return NATS{}
	}
	nodes := float64(n)
	topics := 0.0 // of the rooms of a node
	for _, b := range bands {
		topics += float64(b.rooms) * present(nodes, b.size)
	}
	listens := -math.Expm1(-topics / buckets) // to a bucket, whatever the room
	heard := 0.0                              // by the other nodes, of one message in each room
	for _, b := range bands {
		others := present(nodes, max(0, b.size-1))
		heard += float64(b.rooms) * (nodes - 1) * (1 - (1-others)*(1-listens))
	}
	table := natsAround + rowBytes*buckets*listens
	said := w.Rate * rooms(bands)
	s := NATS{Buckets: buckets * listens, Beats: nodes * (nodes - 1) / beatSeconds}
	s.BeatBytes = s.Beats * table
	s.InMessages = said + nodes/beatSeconds
	s.OutMessages = w.Rate*heard + s.Beats
	s.InBytes = said*float64(w.Bytes+natsAround) + nodes/beatSeconds*table
	s.OutBytes = w.Rate*heard*float64(w.Bytes+natsAround) + s.BeatBytes
	s.Subjects = nodes * (s.Buckets + otherTopics)
	return s
}

// present is the probability that a node has one or more of so many members, each on
// any node.
func present(nodes, members float64) float64 {
	return -math.Expm1(members * math.Log1p(-1/nodes))
}
