package capacity_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/capacity"
)

// A cluster of one, two or three nodes, each figure worked out on paper from the
// sentences of the report.
func TestPlanByHand(t *testing.T) {
	t.Parallel()
	// Of two rooms, each in one of 1,024 buckets at random, a node listens to:
	buckets := 1024 * (1 - math.Exp(-2./1024))
	table := 110 + 8*buckets // bytes of a beat
	// Of 500 rooms of two a node of two has three in four. It has the other member of half
	// of the rooms, and hears others for their buckets.
	listens := 1 - math.Exp(-375./1024)
	heard := 500 * (1 - 0.5*(1-listens))
	smallTable := 110 + 8*1024*listens
	for _, tt := range []struct {
		name   string
		config capacity.Config
		nodes  int
		want   capacity.Demand // of a node
		nats   capacity.NATS
	}{
		{
			// 400 rooms; a second 10,000 deliveries, 200 messages of 234 bytes at a client, 500
			// heartbeats, 20 who leave and whose successors join two topics.
			name: "one node, two topics",
			config: capacity.Config{Clients: []int64{10_000}, Workload: capacity.Workload{
				Topics: 2, Rate: 0.5, Bytes: 100, RoomSize: 50, Heartbeat: 20 * time.Second, Stay: 500 * time.Second,
			}},
			nodes: 1,
			want: capacity.Demand{
				Clients: 10_000, Files: 10_064, Memory: 20e6 + 10_000*(500+5000+430),
				Cores: capacity.Cores{Deliveries: 0.07, Heartbeats: 0.007, Joins: 0.0012, Pushes: 0.002, All: 0.0802},
				In:    8 * (200*234 + 10_000*70 + 2*500*134 + 20*2000),
				Out:   8 * (200*70 + 10_000*234 + 2*500*134 + 20*2000),
			},
		},
		{
			// 250 clients of each of two rooms on a node: all messages go to both.
			name: "two nodes",
			config: capacity.Config{Clients: []int64{1000}, Workload: capacity.Workload{RoomSize: 500, Rate: 2, Heartbeat: 50 * time.Second, Stay: 1000 * time.Second},
				Machine: capacity.Machine{Files: 1064}},
			nodes: 2,
			want: capacity.Demand{
				Clients: 500, Files: 564, Memory: 20e6 + 500*5500,
				Cores: capacity.Cores{Deliveries: 0.007, Heartbeats: 0.00014, Joins: 0.000015, Pushes: 0.00002, Cluster: 0.00000968, All: 0.00718468},
				In:    8 * (2*262 + 1000*70 + 2*10*134 + 0.5*2000 + (4*238+0.4*table)/2),
				Out:   8 * (2*70 + 1000*262 + 2*10*134 + 0.5*2000 + (4*238+0.4*table)/2),
			},
			nats: capacity.NATS{InMessages: 4.4, OutMessages: 4.4, InBytes: 4*238 + 0.4*table, OutBytes: 4*238 + 0.4*table,
				Beats: 0.4, BeatBytes: 0.4 * table, Subjects: 2 * (buckets + 3), Buckets: buckets},
		},
		{
			name:   "two nodes, rooms of two",
			config: capacity.Config{Clients: []int64{1000}, Workload: capacity.Workload{RoomSize: 2, Rate: 1, Heartbeat: 50 * time.Second, Stay: 1000 * time.Second}, Machine: capacity.Machine{Files: 1064}},
			nodes:  2,
			want: capacity.Demand{
				Clients: 500, Files: 564, Memory: 20e6 + 500*5500,
				Cores: capacity.Cores{Deliveries: 0.0035, Heartbeats: 0.00014, Joins: 0.000015, Pushes: 0.0025, Cluster: (500.8 + heard) / 2 * 2.2e-6, All: 0.006155 + (500.8+heard)/2*2.2e-6},
				In:    8 * (250*262 + 500*70 + 2*10*134 + 0.5*2000 + (heard*238+0.4*smallTable)/2),
				Out:   8 * (250*70 + 500*262 + 2*10*134 + 0.5*2000 + (500*238+0.4*smallTable)/2),
			},
			nats: capacity.NATS{InMessages: 500.4, OutMessages: heard + 0.4, InBytes: 500*238 + 0.4*smallTable, OutBytes: heard*238 + 0.4*smallTable,
				Beats: 0.4, BeatBytes: 0.4 * smallTable, Subjects: 2 * (1024*listens + 3), Buckets: 1024 * listens},
		},
		{
			// Each message goes to two others, and each beat.
			name: "three nodes",
			config: capacity.Config{Clients: []int64{900}, Workload: capacity.Workload{RoomSize: 450, Rate: 1},
				Machine: capacity.Machine{Files: 800}},
			nodes: 3,
			want: capacity.Demand{
				Clients: 300, Files: 364, Memory: 20e6 + 300*5500,
				Cores: capacity.Cores{Deliveries: 0.0021, Heartbeats: 0.00014, Joins: 0.000015, Pushes: 0.00002 / 3, Cluster: 2.6 * 2.2e-6, All: 0.0022673867},
				In:    8 * (2./3*262 + 300*70 + 2*10*134 + 0.5*2000 + (4*238+1.2*table)/3),
				Out:   8 * (2./3*70 + 300*262 + 2*10*134 + 0.5*2000 + (2*238+0.6*table)/3),
			},
			nats: capacity.NATS{InMessages: 2.6, OutMessages: 5.2, InBytes: 2*238 + 0.6*table, OutBytes: 4*238 + 1.2*table,
				Beats: 1.2, BeatBytes: 1.2 * table, Subjects: 3 * (buckets + 3), Buckets: buckets},
		},
	} {
		p := plan(t, tt.config).Plans[0]
		if p.Nodes != tt.nodes {
			t.Errorf("%s: %d nodes, want %d", tt.name, p.Nodes, tt.nodes)
			continue
		}
		got, n := figures(p.Node, p.NATS), float64(p.Nodes)
		for name, want := range figures(tt.want, tt.nats) {
			if !near(got[name], want, 1e-6) {
				t.Errorf("%s: %s is %v, want %v", tt.name, name, got[name], want)
			}
		}
		for name, whole := range figures(p.Whole, capacity.NATS{}) {
			if !strings.HasPrefix(name, "NATS") && !near(whole, n*got[name], 1e-9) {
				t.Errorf("%s: %s of all %d nodes is %v, of each %v", tt.name, name, p.Nodes, whole, got[name])
			}
		}
	}
}

// figures are by name, for messages of tests.
func figures(d capacity.Demand, n capacity.NATS) map[string]float64 {
	return map[string]float64{
		"clients": d.Clients, "memory": d.Memory, "files": d.Files, "in": d.In, "out": d.Out,
		"cores of deliveries": d.Cores.Deliveries, "cores of heartbeats": d.Cores.Heartbeats, "cores of joins": d.Cores.Joins,
		"cores of pushes": d.Cores.Pushes, "cores of the cluster": d.Cores.Cluster, "all cores": d.Cores.All,
		"NATS messages in": n.InMessages, "NATS messages out": n.OutMessages, "NATS bytes in": n.InBytes, "NATS bytes out": n.OutBytes,
		"NATS beats": n.Beats, "NATS bytes of beats": n.BeatBytes, "NATS subjects": n.Subjects, "NATS buckets": n.Buckets,
	}
}

// A node that has just enough is enough, and one with a file, a byte, a core or a bit
// less is not: then there are two, and the report names what the single one lacked.
func TestJustEnough(t *testing.T) {
	t.Parallel()
	base := capacity.Config{Clients: []int64{1000}, Machine: capacity.Machine{Headroom: 0.5}}
	one := plan(t, base).Plans[0].Node
	for name, set := range map[string]func(m *capacity.Machine, share float64){
		"memory":  func(m *capacity.Machine, share float64) { m.Memory = share * one.Memory },
		"files":   func(m *capacity.Machine, share float64) { m.Files = int64(share * one.Files) },
		"CPU":     func(m *capacity.Machine, share float64) { m.Cores = share * one.Cores.All },
		"network": func(m *capacity.Machine, share float64) { m.Network = share * max(one.In, one.Out) },
	} {
		for share, nodes := range map[float64]int{2: 1, 1.99: 2} {
			c := base
			c.Workload.Rate = 500 // for more than a tenth of a core
			one = plan(t, c).Plans[0].Node
			set(&c.Machine, share)
			if p := plan(t, c).Plans[0]; p.Nodes != nodes || p.Bound != name {
				t.Errorf("%s %v times what clients take, half to stay free: %d nodes bound by %s, want %d", name, share, p.Nodes, p.Bound, nodes)
			}
		}
	}
}

// The network of a node is bound by the busier direction: mostly out, and in where NATS
// hands each message to many nodes that have nobody to tell it.
func TestNetworkOfBothDirections(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		w     capacity.Workload
		nodes int
		in    bool // is busier
	}{
		{"large rooms", capacity.Workload{RoomSize: 1000, Rate: 2}, 4, false},
		{"rooms of two", capacity.Workload{RoomSize: 2, Rate: 1}, 4, true}, // three would do for what goes out
	} {
		c := capacity.Config{Clients: []int64{20_000}, Workload: tt.w, Machine: capacity.Machine{Network: 23.3e6 / 0.6}}
		p := plan(t, c).Plans[0]
		if n := p.Node; p.Nodes != tt.nodes || p.Bound != "network" || (n.In > n.Out) != tt.in || max(n.In, n.Out) > 23.3e6 {
			t.Errorf("%s: %d nodes bound by %s, %v bits in and %v out, want %d and at most 23.3 Mbit/s", tt.name, p.Nodes, p.Bound, n.In, n.Out, tt.nodes)
		}
	}
}

// Heartbeats of a day without messages still cross the cluster: beats, and nothing else.
func TestQuietRoomsHaveBeats(t *testing.T) {
	t.Parallel()
	c := capacity.Config{Clients: []int64{3000}, Workload: capacity.Workload{RoomSize: 1000, Rate: 1e-12}, Machine: capacity.Machine{Files: 2000}}
	p := plan(t, c).Plans[0]
	if n := p.NATS; p.Nodes < 2 || !near(n.OutMessages, n.Beats, 1e-6) || !near(n.OutBytes, n.BeatBytes, 1e-6) || !near(n.InMessages, float64(p.Nodes)/5, 1e-6) {
		t.Errorf("%d nodes: %+v, want beats alone", p.Nodes, n)
	}
}
