package swarm_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/swarm"
)

// small is a host like that of a continuous integration.
var small = swarm.Limits{Files: 20_000, SystemFiles: 2_400_000, Ports: 28_232, Memory: 24 << 30, Cores: 2}

func local(clients int) swarm.Config {
	return swarm.Config{Clients: clients, ServerCommand: []string{"server"}, ClientCommand: []string{"clients"}}
}

func TestPlan(t *testing.T) {
	remote := local(10_000)
	remote.URL = "ws://192.0.2.1:4000"
	apart := local(100_000)
	apart.Apart = true
	many := small
	many.Files, many.Cores, many.Memory = 2_000_000, 64, 64<<30
	for _, test := range []struct {
		name                string
		config              swarm.Config
		limits              swarm.Limits
		clients             int
		servers, processes  int
		perSource, messages int
		rate                float64
		why                 string // a part of the sentences
	}{
		{"default", local(0), small, 10_000, 1, 1, 13_675, 20, 2, "10,000 clients of 1 server process"},
		{"one", local(1), small, 1, 1, 1, 13_675, 20, 2, "1 process of clients"},
		{"all that a process may", local(19_800), small, 19_800, 1, 1, 13_675, 20, 2, "127.0.0.1 to 127.0.0.2"},
		{"one more", local(19_801), small, 19_801, 2, 2, 13_675, 20, 2, "the limit is 20,000 files per process"},
		{"100,000", local(100_000), small, 100_000, 6, 6, 13_675, 20, .5, "6 server processes with up to 16,667 each: the limit is 20,000 files per process. They are one cluster over NATS, with one room for all clients"},
		{"100,000 apart", apart, small, 100_000, 6, 6, 13_675, 20, .5, "Each process is a room of its own"},
		{"a million", local(1_000_000), small, 1_000_000, 51, 51, 13_675, 5, .05, "51 processes of clients"},
		{"a million on a large host", local(1_000_000), many, 1_000_000, 1, 32, 13_675, 20, 1.6, "74 addresses"},
		{"remote", remote, small, 10_000, 1, 1, 0, 20, 2, "clients of ws://192.0.2.1:4000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := swarm.NewPlan(test.config, test.limits)
			if err != nil {
				t.Fatalf("NewPlan() = %v", err)
			}
			why := strings.Join(p.Why, "\n")
			if p.Clients != test.clients || len(p.Servers) != test.servers || len(p.Processes) != test.processes || p.PerSource != test.perSource {
				t.Errorf("%d clients, %d servers, %d processes, %d per source, want %d, %d, %d, %d", p.Clients, len(p.Servers), len(p.Processes), p.PerSource,
					test.clients, test.servers, test.processes, test.perSource)
			}
			if p.Messages != test.messages || p.Rate != test.rate {
				t.Errorf("%d messages, %v a second, want %d and %v", p.Messages, p.Rate, test.messages, test.rate)
			}
			if !strings.Contains(why, test.why) {
				t.Errorf("sentences:\n%s\nwant %q in them", why, test.why)
			}
			checkDivision(t, p)
		})
	}
}

func TestPlanTakesWhatFits(t *testing.T) {
	short := small
	short.Memory = 80_000_000 // two processes, and 30 MB for clients of 12 KB
	p, err := swarm.NewPlan(local(0), short)
	if err != nil || p.Clients < 2_000 || p.Clients > 2_500 {
		t.Errorf("NewPlan() = %d clients, %v, want some 2,200", p.Clients, err)
	}
	if _, err := swarm.NewPlan(local(5_000), short); !errors.Is(err, swarm.ErrTooMany) {
		t.Errorf("NewPlan() = %v, want ErrTooMany: that many were asked for", err)
	}
}

// checkDivision fails unless each client of each room is held by one process.
func checkDivision(t *testing.T, p swarm.Plan) {
	t.Helper()
	if rooms := len(p.Rooms); rooms != 1 && rooms != len(p.Servers) {
		t.Errorf("%d rooms at %d servers, want one or as many", rooms, len(p.Servers))
	}
	next := make([]int, len(p.Rooms))
	at := make([]int, len(p.Servers))
	for i, process := range p.Processes {
		held := 0
		for _, e := range process {
			if e.First != next[e.Room] {
				t.Errorf("process %d begins room %d at %d, want %d", i, e.Room, e.First, next[e.Room])
			}
			next[e.Room] += e.Count
			at[e.Server] += e.Count
			held += e.Count
		}
		if held > p.Clients/len(p.Processes)+1 {
			t.Errorf("process %d holds %d clients, want an equal part", i, held)
		}
	}
	if !slices.Equal(at, p.Servers) {
		t.Errorf("servers have %v clients in processes, want %v", at, p.Servers)
	}
	for room, n := range next {
		if n != p.Rooms[room] {
			t.Errorf("room %d has %d clients in processes, want %d", room, n, p.Rooms[room])
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	files := small
	files.SystemFiles = 12_000
	forced := local(3_000_000)
	forced.Force = true
	remote := local(40_000)
	remote.URL = "ws://192.0.2.1:4000"
	for _, test := range []struct {
		name   string
		config swarm.Config
		limits swarm.Limits
		want   string // "" is no refusal
	}{
		{"memory", local(3_000_000), small, "25.8 GB of memory"},
		{"memory, forced", forced, small, ""},
		{"files", local(8_000), files, "12,000 more files, enough for 5,000 clients"},
		{"ports", remote, small, "28,232 ports"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := swarm.NewPlan(test.config, test.limits)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("NewPlan() = %v, want a plan", err)
			case test.want != "" && (!errors.Is(err, swarm.ErrTooMany) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("NewPlan() = %v, want ErrTooMany with %q", err, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		config swarm.Config
		want   string // "" is fine
	}{
		{swarm.Config{URL: "ws://localhost:4000"}, ""},
		{swarm.Config{URL: "ws://localhost:4000/live/websocket?token=x", Size: 100}, ""},
		{swarm.Config{}, "neither a server"},
		{swarm.Config{URL: "wss://localhost"}, "TLS"},
		{swarm.Config{URL: "ws://localhost", Size: 50}, "at least 100"},
		{swarm.Config{URL: "ws://localhost", Clients: -1}, "clients"},
		{swarm.Config{URL: "ws://localhost", Rate: -1}, "rate"},
	} {
		err := test.config.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Check(%+v) = %v, want %q", test.config, err, test.want)
		}
	}
}
