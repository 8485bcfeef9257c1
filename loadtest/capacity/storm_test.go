package capacity

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// Of two nodes one dies: half of the tries go to it and are refused, until all clients
// are at the other, which serves them as fast as its free processors do.
func TestStormOfTwoNodes(t *testing.T) {
	t.Parallel()
	c := Config{Workload: Workload{Topics: 2}, Machine: Machine{Cores: 3}, Down: time.Hour}.WithDefaults()
	m := Measured{JoinUs: Figure{Value: 50}}
	p := Plan{Nodes: 2, Node: Demand{Clients: 9999.5, Cores: Cores{All: 2}}}
	s := c.storm(rand.New(rand.NewPCG(1, 2)), m, p, nil)
	if s.Clients != 10_000 || s.Serves != 10_000 || s.MoreHear != 0 {
		t.Errorf("%+v, want 10,000 clients, and one free core to serve 10,000 joins of 100 µs a second", s)
	}
	// Tries at 0.01, 0.06, 0.16, 0.31, 0.51 and 0.76 s are in the first second: all but a
	// 64th of the clients are through. In all there is a refusal for each client.
	if first := 10_000 * (1 - 1./64); math.Abs(float64(s.Peak)-first) > 60 || math.Abs(float64(s.Refused)-10_000) > 400 {
		t.Errorf("peak %d, %d refused, want about %v and 10,000", s.Peak, s.Refused, first)
	}
	// 5,000 come at 0.01 s, and the last of 10,000 wait for the processor.
	if math.Abs(s.Back50-0.51) > 0.01 || s.Back99 < 0.99 || s.Back99 > s.Back || s.Back < 1.01 {
		t.Errorf("half are back after %v s, 99 %% after %v, all after %v, want half after 0.51 and the others until 1", s.Back50, s.Back99, s.Back)
	}
}

// The client waits as Phoenix's does: 10, 50, 100, 150, 200, 250, 500 ms, 1, 2 and then
// always 5 s between its tries.
func TestBackoff(t *testing.T) {
	t.Parallel()
	c := Config{Machine: Machine{Cores: 1}}.WithDefaults()
	m, p := Measured{JoinUs: Figure{Value: 1}}, Plan{Nodes: 1, Node: Demand{Clients: 1}}
	for _, tt := range []struct {
		down    time.Duration
		back    float64 // when its try gets through
		refused int
	}{
		{10 * time.Millisecond, 0.01, 0},
		{11 * time.Millisecond, 0.06, 1},
		{61 * time.Millisecond, 0.16, 2},
		{161 * time.Millisecond, 0.31, 3},
		{311 * time.Millisecond, 0.51, 4},
		{511 * time.Millisecond, 0.76, 5},
		{761 * time.Millisecond, 1.26, 6},
		{1261 * time.Millisecond, 2.26, 7},
		{2261 * time.Millisecond, 4.26, 8},
		{4261 * time.Millisecond, 9.26, 9},
		{9261 * time.Millisecond, 14.26, 10},
		{60 * time.Second, 64.26, 20},
	} {
		c.Down = tt.down
		if s := c.storm(rand.New(rand.NewPCG(1, 2)), m, p, nil); math.Abs(s.Back-tt.back) > 1e-4 || s.Refused != tt.refused {
			t.Errorf("down for %v: back after %v s, %d tries before, want %v and %d", tt.down, s.Back, s.Refused, tt.back, tt.refused)
		}
	}
}

// Each second has a count of its own: clients that come in two bursts are no single one.
func TestPeakIsOfASecond(t *testing.T) {
	t.Parallel()
	c := Config{Down: 2 * time.Second}.WithDefaults()
	p := Plan{Nodes: 8, Node: Demand{Clients: 8000}}
	s := c.storm(rand.New(rand.NewPCG(3, 4)), Measured{JoinUs: Figure{Value: 30}}, p, nil)
	// A node gets an eighth of all at 0.01 s, and in that second an eighth of that eighth
	// again and again: 8,000 · 1/8 · (1 + 1/8 + 1/64 + …).
	if want := 8000. / 7; math.Abs(float64(s.Peak)-want) > 120 {
		t.Errorf("peak %d, want about %v", s.Peak, want)
	}
}

// The rooms of a dead node go to the others, which listen to more buckets then.
func TestSurvivorsHearMore(t *testing.T) {
	t.Parallel()
	w := Workload{RoomSize: 1}
	bands := []band{{1024, 1}}
	c := Config{Workload: w}.WithDefaults()
	for nodes := 2; nodes <= 4; nodes++ {
		p := Plan{Nodes: nodes, Node: Demand{Clients: 100}, NATS: w.nats(nodes, bands)}
		s := c.storm(rand.New(rand.NewPCG(5, 6)), Measured{JoinUs: Figure{Value: 30}}, p, bands)
		// A node of n has 1024/n topics, in 1024 (1 - e^(-1/n)) buckets.
		n := float64(nodes)
		want := 1024 * (math.Exp(-1/n) - math.Exp(-1/(n-1)))
		if nodes == 2 { // the other is alone then, and hears nobody
			want = 0
		}
		if math.Abs(s.MoreHear-want) > 0.01 {
			t.Errorf("of %d nodes one dies: the others listen to %v buckets more, want %v", nodes, s.MoreHear, want)
		}
	}
}
