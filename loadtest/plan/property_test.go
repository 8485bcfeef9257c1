package plan_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/plan"
)

// anyConfig is a run that somebody may ask for, and anyHost one that has room for
// it or not.
func anyConfig(random *rand.Rand) plan.Config {
	names := plan.Scenarios()
	c := local(1 + random.IntN(60_000))
	c.Scenario = names[random.IntN(len(names))]
	c.Servers = random.IntN(4)
	c.Apart = random.IntN(5) == 0
	c.Rooms = random.IntN(min(300, c.Clients) + 1)
	c.Writers = 1 + random.IntN(min(4, c.Clients))
	if random.IntN(2) == 0 {
		c.Rate = random.Float64() * 50
	}
	if random.IntN(2) == 0 {
		c.For = time.Duration(1 + random.Int64N(int64(time.Hour)))
	}
	return c
}

func anyHost(random *rand.Rand) kernel.Host {
	h := small
	h.FilesHard = kernel.Count(1024 << random.IntN(11))
	h.Cores = 1 << random.IntN(7)
	h.Memory = kernel.Count(1<<30) << random.IntN(8)
	return h
}

// A plan has a place for each client, one for each and no other, that no limit of
// the host is in the way of.
func TestPlansAreWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(31, 32))
	planned := 0
	for range 150 {
		c, h := anyConfig(random), anyHost(random)
		if c.Check() != nil {
			continue
		}
		p, err := plan.New(c, h)
		if err != nil {
			continue // it does not fit, or cannot be meant
		}
		planned++
		if p.Clients != c.Clients {
			t.Fatalf("%+v: %d clients, want %d", c, p.Clients, c.Clients)
		}
		owner := make([]int, p.Clients) // how many have this client
		rooms, servers := make([]int, len(p.Rooms)), make([]int, len(p.Servers))
		for i, extents := range p.Processes {
			of := 0
			for _, e := range extents {
				if e.Count < 1 || e.First < 0 || e.First+e.Count > p.Clients {
					t.Fatalf("%+v: process %d has %+v of %d clients", c, i, e, p.Clients)
				}
				for n := e.First; n < e.First+e.Count; n++ {
					owner[n]++
				}
				rooms[e.Room] += e.Count
				servers[e.Server] += e.Count
				of += e.Count
			}
			if of == 0 || kernel.Count(of) >= h.FilesHard {
				t.Fatalf("%+v: process %d has %d clients, and may open %s files", c, i, of, h.FilesHard)
			}
		}
		if slices.ContainsFunc(owner, func(n int) bool { return n != 1 }) {
			t.Fatalf("%+v: some client has no process, or two: %+v", c, p.Processes)
		}
		if !slices.Equal(rooms, p.Rooms) || !slices.Equal(servers, p.Servers) {
			t.Fatalf("%+v: rooms of %v and servers of %v clients, want %v and %v", c, rooms, servers, p.Rooms, p.Servers)
		}
		for i, n := range p.Servers {
			if kernel.Count(n) >= h.FilesHard {
				t.Fatalf("%+v: server %d has %d clients, and may open %s files", c, i, n, h.FilesHard)
			}
		}
		if p.Punctual < 0 || p.Punctual > len(p.Processes) || p.Ramping < 1 || p.Ramping > len(p.Processes) {
			t.Fatalf("%+v: %d processes, of which %d are punctual and %d connect at a time", c, len(p.Processes), p.Punctual, p.Ramping)
		}
		if p.Messages < 1 || p.Rate < 0 || p.Heartbeat <= 0 || p.Report <= 0 || p.Tick < 100*time.Millisecond || p.Tick > time.Second || len(p.Why) == 0 {
			t.Fatalf("%+v: %d messages at %v, heartbeat %s, report %s, tick %s, %d sentences", c, p.Messages, p.Rate, p.Heartbeat, p.Report, p.Tick, len(p.Why))
		}
	}
	if planned < 40 {
		t.Errorf("%d plans of 150 were made: the hosts are too small to show anything", planned)
	}
}

// What a plan refuses is too much for the host: fewer clients have room there, and
// more than were refused have none.
func TestRefusalsAreOrdered(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(33, 34))
	for range 20 {
		h, c := anyHost(random), local(0)
		fits := func(n int) bool {
			c.Clients = n
			_, err := plan.New(c, h)
			if err != nil && !errors.Is(err, plan.ErrTooMany) {
				t.Fatalf("%d clients: %v, want one of too many", n, err)
			}
			return err == nil
		}
		last := true
		for n := 1; n < 1<<27; n *= 2 {
			if now := fits(n); now && !last {
				t.Fatalf("%+v has room for %d clients, but not for half of them", h, n)
			} else {
				last = now
			}
		}
		if last {
			t.Fatalf("%+v has room for 100 million clients", h)
		}
	}
}

// Split divides all of it, as evenly as whole numbers can.
func TestSplit(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(35, 36))
	for range 150 {
		n, parts := random.IntN(1000), 1+random.IntN(50)
		list := plan.Split(n, parts)
		sum := 0
		for _, part := range list {
			sum += part
		}
		if len(list) != parts || sum != n || slices.Max(list)-slices.Min(list) > 1 || !slices.IsSortedFunc(list, func(a, b int) int { return b - a }) {
			t.Fatalf("Split(%d, %d) = %v", n, parts, list)
		}
	}
}

// The clients of agents are all there, and each process is at a site that has been
// named.
func TestPlansAtSitesAreWhole(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(37, 38))
	for range 100 {
		c := local(1 + random.IntN(30_000))
		c.URL = "ws://192.0.2.1:4000"
		if random.IntN(2) == 0 {
			c.Scenario, c.Rooms = plan.Rooms, 1+random.IntN(min(50, c.Clients))
		}
		var sites []plan.Site
		for range 1 + random.IntN(5) {
			sites = append(sites, plan.Site{Addr: "a", Host: small})
		}
		p, err := plan.NewAt(c, sites)
		if err != nil {
			continue
		}
		if len(p.Sites) != len(p.Processes) {
			t.Fatalf("%d processes at %d sites", len(p.Processes), len(p.Sites))
		}
		owner, at := make([]int, p.Clients), make([]int, len(sites))
		for i, extents := range p.Processes {
			for _, e := range extents {
				for n := e.First; n < e.First+e.Count; n++ {
					owner[n]++
				}
				at[p.Sites[i]] += e.Count
			}
		}
		if p.Clients != c.Clients || slices.ContainsFunc(owner, func(n int) bool { return n != 1 }) {
			t.Fatalf("%+v at %d sites: %d clients, some of no process or of two", c, len(sites), p.Clients)
		}
		if c.Clients >= len(sites) && slices.Max(at)-slices.Min(at) > 1 {
			t.Fatalf("%d clients are divided as %v", c.Clients, at)
		}
	}
}
