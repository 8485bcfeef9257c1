package plan

import (
	"math"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// A rate is written as people do, whatever its size: never with an exponent.
func TestPerSecond(t *testing.T) {
	t.Parallel()
	for rate, want := range map[float64]string{
		0: "0", 2: "2", 0.5: "0.5", 1.0 / 3: "0.333", 2.0 / 3: "0.667", 12.345: "12.3", 99.96: "100", 120: "120", 123.4: "123",
		999.4: "999", 999.6: "1,000", 1000: "1,000", 1234.5: "1,235", 123_456: "123,456", 0.05: "0.05", 0.00005: "0.00005", 0.000012345: "0.0000123", 0.09999: "0.1",
	} {
		if got := perSecond(rate); got != want {
			t.Errorf("perSecond(%v) = %s, want %s", rate, got, want)
		}
	}
}

func TestWords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ got, want string }{
		{plural(0, "room", "rooms"), "0 rooms"},
		{plural(1, "room", "rooms"), "1 room"},
		{plural(2000, "room", "rooms"), "2,000 rooms"},
		{gigabytes(0), "0 MB"},
		{gigabytes(1_400_000), "1 MB"},
		{gigabytes(999_400_000), "999 MB"},
		{gigabytes(1_000_000_000), "1.0 GB"},
		{gigabytes(kernel.Count(25_750_000_000)), "25.8 GB"},
	} {
		if test.got != test.want {
			t.Errorf("got %q, want %q", test.got, test.want)
		}
	}
}

// Rooms have one client each, and the others by Zipf's law, as near as whole numbers
// come to it.
func TestZipf(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		n, rooms int
		s        float64
		want     []int
	}{
		{1, 1, 1, []int{1}},
		{5, 5, 1, []int{1, 1, 1, 1, 1}},
		{10, 3, 1, []int{5, 3, 2}},
		{100, 4, 1e-9, []int{25, 25, 25, 25}},
		{101, 4, 1e-9, []int{26, 25, 25, 25}},
		{100, 2, 1, []int{66, 34}},
		{100, 2, 100, []int{99, 1}},
	} {
		got := zipf(test.n, test.rooms, test.s)
		same, sum := len(got) == len(test.want), 0
		for i := range got {
			same, sum = same && got[i] == test.want[i], sum+got[i]
		}
		if !same || sum != test.n {
			t.Errorf("%d clients in %d rooms by %v: %v, want %v", test.n, test.rooms, test.s, got, test.want)
		}
	}
}

// Where servers hold as many clients each, a room has as many at each of them, or one
// more.
func TestDealIsEven(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ clients, servers, processes, rooms int }{
		{120, 4, 1, 7}, {120, 4, 4, 7}, {1000, 5, 2, 33}, {64, 8, 8, 64},
	} {
		p := &planner{config: Config{Scenario: Rooms, Rooms: test.rooms, Zipf: 1}}
		p.Clients, p.Servers = test.clients, Split(test.clients, test.servers)
		server, taken, first := 0, 0, 0
		for _, n := range Split(test.clients, test.processes) {
			var extents []Extent
			for n > 0 {
				count := min(n, p.Servers[server]-taken)
				extents = append(extents, Extent{Server: server, First: first, Count: count})
				n, taken, first = n-count, taken+count, first+count
				if taken == p.Servers[server] {
					server, taken = server+1, 0
				}
			}
			p.Processes = append(p.Processes, extents)
		}
		p.spread()
		at := make(map[[2]int]int) // clients by room and server
		for i, process := range p.Processes {
			in, held := make(map[int]int), 0 // by room
			for _, e := range process {
				at[[2]int{e.Room, e.Server}] += e.Count
				in[e.Room] += e.Count
				held += e.Count
			}
			for room, size := range p.Rooms {
				if fair := float64(size*held) / float64(test.clients); math.Abs(float64(in[room])-fair) > 3 {
					t.Errorf("%+v: process %d has %d of room %d, want about %.1f", test, i, in[room], room, fair)
				}
			}
		}
		for room, size := range p.Rooms {
			for server := range test.servers {
				if n := at[[2]int{room, server}]; n < size/test.servers || n > (size+test.servers-1)/test.servers {
					t.Errorf("%+v: room %d of %d clients has %d at server %d", test, room, size, n, server)
				}
			}
		}
	}
}

// A place of many processes for clients whose parts differ is the first client's number.
func TestMergedShares(t *testing.T) {
	t.Parallel()
	share := func(clients, ramping, perSource, procs int, counts ...int) Plan {
		p := Plan{Clients: clients, Ramping: ramping, PerSource: perSource, ClientProcs: procs}
		first := 0
		for _, n := range counts {
			p.Processes = append(p.Processes, []Extent{{First: first, Count: n}})
			first += n
		}
		return p
	}
	p := merged([]Plan{share(5, 1, 70, 2, 3, 2), share(4, 1, 50, 1, 4), share(6, 3, 60, 2, 2, 2, 2)})
	type placed struct{ site, first, count int }
	want := []placed{{0, 0, 3}, {1, 5, 4}, {2, 9, 2}, {0, 3, 2}, {2, 11, 2}, {2, 13, 2}}
	for i, process := range p.Processes {
		if got := (placed{p.Sites[i], process[0].First, process[0].Count}); i >= len(want) || got != want[i] {
			t.Errorf("process %d is %+v, want %+v: all agents in turn", i, got, want[min(i, len(want)-1)])
		}
	}
	if len(p.Processes) != len(want) || p.Clients != 15 || p.Ramping != 5 || p.PerSource != 50 || p.ClientProcs != 1 || p.Servers[0] != 15 || p.Rooms[0] != 15 {
		t.Errorf("merged plan %+v, want 15 clients, 5 ramping, the least of the others", p)
	}
}
