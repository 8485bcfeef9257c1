package plan

import (
	"fmt"
	"math"
	"slices"
)

// Rooms is a chat in each of many rooms.
const Rooms Scenario = "rooms"

var rooms = kind{
	name:  Rooms,
	says:  "a chat in each of -rooms rooms: the k-th has 1/k^s of the first's clients, -zipf is s",
	flags: chatFlags("rooms", "zipf"),
	noRaw: noTopics,
	check: func(c Config) error {
		if c.Clients > 0 && c.Rooms > c.Clients {
			return fmt.Errorf("rooms: %d for %d clients: each needs one", c.Rooms, c.Clients)
		}
		return nil
	},
	rooms: func(c Config, clients int) []int { return zipf(clients, min(c.Rooms, clients), c.Zipf) },
}

// zipf divides n clients among rooms, the largest first: one for each, and of the
// others, by Zipf's law, the k-th has 1/k^s of what the first has. n is at least
// rooms.
func zipf(n, rooms int, s float64) []int {
	weight := func(k int) float64 { return math.Pow(float64(k+1), -s) }
	var all float64
	for k := range rooms {
		all += weight(k)
	}
	sizes := make([]int, rooms)
	spare := float64(n - rooms)
	given, upTo := 0, 0.0
	for k := range sizes {
		upTo += weight(k)
		share := int(math.Round(spare*upTo/all)) - given
		sizes[k] = 1 + share
		given += share
	}
	slices.SortFunc(sizes, func(a, b int) int { return b - a }) // rounded up may come after rounded down
	return sizes
}

// deal gives each client a room, so that every room is spread over all servers
// and processes as evenly as its size allows: as behind a load balancer. Servers take
// turns, and of a server's hands, which may be of any size, the emptiest takes.
func deal(rooms []int, processes [][]Extent) [][]Extent {
	var hands []*hand
	var servers [][]*hand
	for i, extents := range processes {
		for _, e := range extents {
			h := &hand{process: i, extent: e, rooms: make([]int, len(rooms))}
			hands = append(hands, h)
			for len(servers) <= e.Server {
				servers = append(servers, nil)
			}
			servers[e.Server] = append(servers[e.Server], h)
		}
	}
	turn := 0
	for room, size := range rooms {
		for range size {
			var h *hand
			for ; h == nil; turn++ {
				h = emptiest(servers[turn%len(servers)])
			}
			h.take(room)
		}
	}
	dealt := make([][]Extent, len(processes))
	for _, h := range hands {
		dealt[h.process] = append(dealt[h.process], h.extents()...)
	}
	return dealt
}

// emptiest is the hand of which the smallest part is taken, nil if all are full.
func emptiest(hands []*hand) (least *hand) {
	for _, h := range hands {
		if !h.full() && (least == nil || h.taken*least.extent.Count < least.taken*h.extent.Count) {
			least = h
		}
	}
	return least
}

// A hand is clients of one process at one server, and how many of them have got
// which room.
type hand struct {
	process int
	extent  Extent
	rooms   []int
	taken   int
}

func (h *hand) full() bool { return h.taken == h.extent.Count }

func (h *hand) take(room int) {
	h.rooms[room]++
	h.taken++
}

func (h *hand) extents() (list []Extent) {
	first := h.extent.First
	for room, n := range h.rooms {
		if n > 0 {
			list = append(list, Extent{Room: room, Server: h.extent.Server, First: first, Count: n})
			first += n
		}
	}
	return list
}
