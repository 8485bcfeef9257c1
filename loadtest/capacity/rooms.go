package capacity

import (
	"math"
	"math/rand/v2"
	"sort"
)

// A band is rooms of about the same size, by rank.
type band struct {
	rooms int
	size  float64 // members of each, on average
}

// bands are the rooms of so many members, the largest first. Each band has ranks up to
// a twentieth apart, so that millions of rooms are some hundred bands.
func (w Workload) bands(members float64) []band {
	rooms := max(1, int(math.Round(members/w.RoomSize)))
	if w.Zipf == 0 {
		return []band{{rooms, members / float64(rooms)}}
	}
	var all []band
	sum := 0.0
	for first := 1; first <= rooms; {
		next := min(rooms+1, first+1+first/20)
		weight := math.Pow(float64(first+next-1)/2, -w.Zipf) // of the rank in the middle
		all = append(all, band{next - first, weight})
		sum += weight * float64(next-first)
		first = next
	}
	for i := range all {
		all[i].size *= members / sum
	}
	return all
}

// A draw picks the room of a member at random.
type draw struct {
	bands []band
	upTo  []float64 // members of a band and of those before
	first []int     // number of a band's first room
}

func newDraw(bands []band) draw {
	d := draw{bands: bands}
	rooms, members := 0, 0.0
	for _, b := range bands {
		d.first = append(d.first, rooms)
		rooms += b.rooms
		members += b.size * float64(b.rooms)
		d.upTo = append(d.upTo, members)
	}
	return d
}

func (d draw) room(r *rand.Rand) int {
	at := r.Float64() * d.upTo[len(d.upTo)-1]
	i := min(sort.SearchFloat64s(d.upTo, at), len(d.bands)-1)
	return d.first[i] + r.IntN(d.bands[i].rooms)
}
