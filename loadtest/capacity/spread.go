package capacity

import "math/rand/v2"

// A Spread is where clients and rooms lie, each client on a node at random.
type Spread struct {
	Busiest float64 `json:"busiest"` // members on the fullest node, over the mean
	Home    float64 `json:"home"`    // nodes that have members of a room, on average over rooms
	Hear    float64 `json:"hear"`    // nodes that a message goes to, its own included: those that listen to its bucket
	Buckets float64 `json:"buckets"` // that a node listens to
}

// spread places all members of all rooms.
func spread(r *rand.Rand, nodes int, bands []band) (s Spread) {
	members := make([]float64, nodes)
	seen := make([]int, nodes)             // the last room with a member there
	listens := make([]bool, nodes*buckets) // by node, then bucket
	var inBucket [buckets]float64          // rooms
	room, total := 0, 0.0
	for _, b := range bands {
		for range b.rooms {
			room++
			bucket := r.IntN(buckets)
			inBucket[bucket]++
			for range whole(r, b.size) {
				at := r.IntN(nodes)
				members[at]++
				total++
				if seen[at] != room {
					seen[at] = room
					s.Home++
					listens[at*buckets+bucket] = true
				}
			}
		}
	}
	for at, on := range listens {
		if on {
			s.Buckets++
			s.Hear += inBucket[at%buckets]
		}
	}
	s.Home /= float64(room)
	s.Hear /= float64(room)
	s.Buckets /= float64(nodes)
	for _, n := range members {
		s.Busiest = max(s.Busiest, n/max(1, total/float64(nodes)))
	}
	return s
}

// whole rounds up or down at random, so that the mean stays.
func whole(r *rand.Rand, size float64) int {
	n := int(size)
	if r.Float64() < size-float64(n) {
		n++
	}
	return n
}
