package capacity_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/capacity"
)

func figure(v float64) capacity.Figure { return capacity.Figure{Value: v, From: "a"} }

// measured are round figures.
func measured() capacity.Measured {
	return capacity.Measured{
		ServerBytes: figure(500), KernelBytes: figure(5000), EmptyBytes: figure(20e6),
		JoinUs: figure(30), DeliveryUs: figure(7), HeartbeatUs: figure(14), PushUs: figure(10),
	}
}

func plan(t *testing.T, c capacity.Config) *capacity.Report {
	t.Helper()
	r, err := capacity.New(c, measured())
	if err != nil {
		t.Fatalf("%+v: %v", c, err)
	}
	return r
}

func near(got, want, by float64) bool { return math.Abs(got-want) <= by*math.Abs(want)+1e-9 }

// What can be worked out by hand comes out.
func TestPlan(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name    string
		clients int64
		w       capacity.Workload
		m       capacity.Machine
		nodes   int
		bound   string
		cores   float64 // of all, NATS apart
	}{
		{"one node", 10_000, capacity.Workload{}, capacity.Machine{}, 1, "files", 0.007 + 0.00467 + 0.0005 + 0.0001},
		{"memory", 100_000, capacity.Workload{}, capacity.Machine{Memory: 290e6, Headroom: 0.5}, 5, "memory", 0.1227},
		{"files", 100_000, capacity.Workload{}, capacity.Machine{Files: 20_064, Headroom: 0.5}, 11, "files", 0.1227},
		{"CPU", 100_000, capacity.Workload{Rate: 10}, capacity.Machine{Cores: 4, Headroom: 0.5}, 4, "CPU", 7 + 0.0467 + 0.005 + 0.1},
		{"network", 100_000, capacity.Workload{Rate: 1, Bytes: 866}, capacity.Machine{Network: 450e6, Headroom: 0.5}, 4, "network", 0.7 + 0.0467 + 0.005 + 0.01},
		{"topics", 10_000, capacity.Workload{Topics: 3}, capacity.Machine{}, 1, "files", 0.021 + 0.00467 + 0.0015 + 0.0003},
		{"heartbeats", 10_000, capacity.Workload{Heartbeat: time.Minute}, capacity.Machine{}, 1, "files", 0.007 + 0.00233 + 0.0005 + 0.0001},
	} {
		p := plan(t, capacity.Config{Clients: []int64{tt.clients}, Workload: tt.w, Machine: tt.m}).Plans[0]
		if p.Nodes != tt.nodes || p.Bound != tt.bound || !near(p.Whole.Cores.All-p.Whole.Cores.Cluster, tt.cores, 0.01) {
			t.Errorf("%s: %d nodes bound by %s, %v cores, want %d, %s, %v", tt.name, p.Nodes, p.Bound, p.Whole.Cores.All-p.Whole.Cores.Cluster, tt.nodes, tt.bound, tt.cores)
		}
	}
}

// A further topic of a client takes memory of the server.
func TestMemoryOfTopics(t *testing.T) {
	t.Parallel()
	p := plan(t, capacity.Config{Clients: []int64{10_000}, Workload: capacity.Workload{Topics: 3}}).Plans[0]
	if want := 20e6 + 10_000*(5500+2*430.0); p.Nodes != 1 || p.Whole.Memory != want {
		t.Errorf("%d nodes take %v bytes, want 1 and %v", p.Nodes, p.Whole.Memory, want)
	}
}

// One node needs no NATS; two rooms of one client each are heard by nobody else.
func TestNATS(t *testing.T) {
	t.Parallel()
	alone := plan(t, capacity.Config{Clients: []int64{1000}}).Plans[0]
	if alone.NATS != (capacity.NATS{}) || alone.Churn.Messages != 0 {
		t.Errorf("one node: %+v, %+v, want no load of NATS", alone.NATS, alone.Churn)
	}
	two := plan(t, capacity.Config{Clients: []int64{1000}, Workload: capacity.Workload{RoomSize: 500}, Machine: capacity.Machine{Files: 1064, Headroom: 0.4}}).Plans[0]
	if n := two.NATS; two.Nodes != 2 || !near(n.InMessages, 0.2+0.4, 0.01) || !near(n.OutMessages, 0.2+0.4, 0.01) || !near(n.Subjects, 2*(2+3), 0.01) {
		t.Errorf("2 large rooms on %d nodes: %+v, want 2 nodes, 0.2 messages a second and 0.4 beats both ways, 10 subjects", two.Nodes, n)
	}
}

// random is any workload that a test can afford to simulate.
func random(r *rand.Rand) capacity.Config {
	return capacity.Config{
		Clients: []int64{1 + r.Int64N(6000)},
		Workload: capacity.Workload{
			Topics: 1 + r.IntN(3), RoomSize: 1 + math.Floor(200*r.Float64()), Zipf: 1.5 * r.Float64() * float64(r.IntN(2)), Rate: 0.01 + r.Float64(),
			Stay: time.Duration(60+r.IntN(1000)) * time.Second,
		},
		Machine: capacity.Machine{Cores: 1 + 3*r.Float64(), Files: 400 + r.Int64N(4000), Memory: (40 + 200*r.Float64()) * 1e6},
		Seed:    r.Uint64(),
	}
}

// Whatever the workload: parts make the sums, a node has room, more clients take no fewer
// nodes and no less of anything, and the same seed makes the same report.
func TestProperties(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 15 {
		c := random(r)
		c.Clients = append(c.Clients, c.Clients[0]+r.Int64N(4000))
		report := plan(t, c)
		if again := plan(t, c); !reflect.DeepEqual(report, again) {
			t.Fatalf("%+v: another report of the same seed", c)
		}
		for i, p := range report.Plans {
			sums(t, c, c.Clients[i], p)
		}
		less, more := report.Plans[0], report.Plans[1]
		if less.Nodes > more.Nodes || less.Whole.Memory > more.Whole.Memory || less.Whole.Cores.All > more.Whole.Cores.All*1.0001 ||
			less.Whole.Out > more.Whole.Out*1.0001 || less.NATS.InMessages > more.NATS.InMessages*1.0001 {
			t.Errorf("%+v: %d clients take %+v, more take %+v", c, c.Clients[0], less, more)
		}
	}
}

func sums(t *testing.T, c capacity.Config, clients int64, p capacity.Plan) {
	t.Helper()
	n, cores, m := float64(p.Nodes), p.Node.Cores, c.WithDefaults().Machine
	free := 1 - m.Headroom + 1e-9
	switch {
	case !near(p.Whole.Clients, float64(clients), 1e-9), !near(p.Whole.Memory, n*p.Node.Memory, 1e-9), !near(p.Whole.Files, n*p.Node.Files, 1e-9), !near(p.Whole.In, n*p.Node.In, 1e-9):
		t.Errorf("%+v: the nodes together are not the whole: %+v", c, p)
	case !near(cores.All, cores.Deliveries+cores.Heartbeats+cores.Joins+cores.Pushes+cores.Cluster, 1e-9), !near(p.Whole.Cores.All, n*cores.All, 1e-9):
		t.Errorf("%+v: cores do not add up: %+v", c, p.Node)
	case !near(p.Whole.Cores.Pushes, n*cores.Pushes, 1e-9), !near(p.Whole.Cores.Cluster, n*cores.Cluster, 1e-9), !near(p.Whole.Out, n*p.Node.Out, 1e-9):
		t.Errorf("%+v: the nodes together are not the whole: %+v", c, p)
	case !near(p.NATS.Beats, n*(n-1)/5, 1e-9):
		t.Errorf("%+v: %v beats, want one of each node at each other one in 5 s", c, p.NATS.Beats)
	case p.Node.Memory > m.Memory*free, p.Node.Files > float64(m.Files)*free, cores.All > m.Cores*free, p.Node.Out > m.Network*free:
		t.Errorf("%+v: a node has no headroom: %+v", c, p.Node)
	case p.NATS.OutMessages > n*p.NATS.InMessages+1e-9, p.NATS.Buckets > 1024.001, p.NATS.Beats > p.NATS.OutMessages:
		t.Errorf("%+v: NATS hands out more than there is: %+v", c, p.NATS)
	case p.Spread.Home > n, p.Spread.Hear > n, p.Spread.Home > p.Spread.Hear+1e-9, p.Spread.Busiest < 1-1e-9, p.Spread.Buckets > 1024:
		t.Errorf("%+v, %d nodes: spread %+v", c, p.Nodes, p.Spread)
	case p.Storm.Back50 > p.Storm.Back99, p.Storm.Back99 > p.Storm.Back, p.Storm.Peak > p.Storm.Clients:
		t.Errorf("%+v: storm %+v", c, p.Storm)
	}
}

// The simulation agrees with the formulas: buckets that a node listens to, and nodes
// that hear a message.
func TestSimulationAgrees(t *testing.T) {
	t.Parallel()
	for _, zipf := range []float64{0, 1} {
		c := capacity.Config{Clients: []int64{60_000}, Workload: capacity.Workload{RoomSize: 100, Rate: 1, Zipf: zipf}, Machine: capacity.Machine{Files: 5000}}
		p := plan(t, c).Plans[0]
		if p.Nodes < 10 || !near(p.Spread.Buckets, p.NATS.Buckets, 0.05) {
			t.Errorf("zipf %v: %d nodes listen to %v buckets, computed %v, want the same", zipf, p.Nodes, p.Spread.Buckets, p.NATS.Buckets)
		}
		others := (p.NATS.OutMessages - p.NATS.Beats) / 600
		if !near(p.Spread.Hear-1, others, 0.05) {
			t.Errorf("zipf %v: %v other nodes hear a message, computed %v, want the same", zipf, p.Spread.Hear-1, others)
		}
	}
}

// Of two rooms by Zipf's law with exponent 3 the first has 8 members of 9.
func TestZipf(t *testing.T) {
	t.Parallel()
	c := capacity.Config{Clients: []int64{1000}, Workload: capacity.Workload{RoomSize: 500, Zipf: 3}, Machine: capacity.Machine{Files: 124}}
	p := plan(t, c).Plans[0]
	n := float64(p.Nodes)
	want := n * (2 - math.Pow(1-1/n, 1000*8.0/9) - math.Pow(1-1/n, 1000/9.0)) / 2
	if p.Nodes < 50 || !near(p.Spread.Home, want, 0.06) {
		t.Errorf("on %d nodes a room has members on %v, want %v", p.Nodes, p.Spread.Home, want)
	}
}

// A cluster with few topics moves its interest, and one with many on each node does not:
// their buckets are taken.
func TestChurn(t *testing.T) {
	t.Parallel()
	few := capacity.Config{Clients: []int64{2000}, Workload: capacity.Workload{RoomSize: 2, Stay: 10 * time.Second}, Machine: capacity.Machine{Files: 300}}
	p := plan(t, few).Plans[0]
	if c := p.Churn; c.Gains == 0 || !near(c.Gains, c.Losses, 0.1) || c.Topics < c.Gains || c.Messages == 0 {
		t.Errorf("few topics on %d nodes: %+v, want as many gains as losses", p.Nodes, c)
	}
	few.Workload.Zipf = 1e-9 // the same rooms, reckoned one by one
	if c := plan(t, few).Plans[0].Churn; !near(c.Gains, p.Churn.Gains, 0.15) {
		t.Errorf("rooms of almost the same size gain %v buckets a second, those of the same size %v, want the same", c.Gains, p.Churn.Gains)
	}
	many := capacity.Config{Clients: []int64{100_000}, Workload: capacity.Workload{RoomSize: 2}, Machine: capacity.Machine{Files: 50_000}}
	p = plan(t, many).Plans[0]
	if c := p.Churn; c.Gains != 0 || c.Losses != 0 || c.Topics == 0 {
		t.Errorf("many topics on %d nodes: %+v, want topics that come and no bucket", p.Nodes, c)
	}
}

// Clients of a single node come back at the first try of the official client after it
// is up, all at once: its back-off has no jitter.
func TestStorm(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		down time.Duration
		back float64 // the try
	}{{time.Second, 1.26}, {2 * time.Second, 2.26}, {10 * time.Second, 14.26}, {time.Nanosecond, 0.01}} {
		p := plan(t, capacity.Config{Clients: []int64{1000}, Down: tt.down}).Plans[0]
		if s := p.Storm; p.Nodes != 1 || s.Back50 < tt.back || !near(s.Back, tt.back+1000/s.Serves, 0.001) || s.Peak != 1000 {
			t.Errorf("down for %v: %+v, want all 1,000 at %v s", tt.down, s, tt.back)
		}
	}
	p := plan(t, capacity.Config{Clients: []int64{50_000}, Machine: capacity.Machine{Cores: 0.2, Files: 20_000}}).Plans[0]
	if s := p.Storm; s.Serves >= 0.2*1e6/30 || s.Back99 < 0.8*float64(s.Clients)/s.Serves/float64(p.Nodes) {
		t.Errorf("slow nodes: %+v, want them to serve joins no faster than their processors do", s)
	}
}

func TestErrors(t *testing.T) {
	t.Parallel()
	for want, c := range map[string]capacity.Config{
		"clients 0 with topics 1: want 1 client or more": {Clients: []int64{0}},
		"clients 2,000,000,000":                          {Clients: []int64{2e9}},
		"5 numbers of clients: want up to 4":             {Clients: []int64{1, 1, 1, 1, 1}},
		"rate is -1: want":                               {Workload: capacity.Workload{Rate: -1}},
		"rate is NaN: want":                              {Workload: capacity.Workload{Rate: math.NaN()}},
		"headroom is 1: want":                            {Machine: capacity.Machine{Headroom: 1}},
		"stay is 1: want":                                {Workload: capacity.Workload{Stay: time.Second}},
		"a node has too little CPU":                      {Clients: []int64{1e6}, Workload: capacity.Workload{RoomSize: 1e5, Rate: 1e6}},
	} {
		if _, err := capacity.New(c, measured()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	lacks := measured()
	lacks.HeartbeatUs = capacity.Figure{}
	if _, err := capacity.New(capacity.Config{}, lacks); err == nil || !strings.Contains(err.Error(), "CPU per heartbeat: make one (loadtest idle") {
		t.Errorf("without heartbeats: %v, want the run that measures them", err)
	}
}

// The first run that has a figure gives it.
func TestMerge(t *testing.T) {
	t.Parallel()
	m := capacity.Measured{Runs: []string{"a"}, JoinUs: figure(1)}
	m.Merge(capacity.Measured{Runs: []string{"b"}, JoinUs: figure(2), DeliveryUs: figure(3)})
	if m.JoinUs.Value != 1 || m.DeliveryUs.Value != 3 || len(m.Runs) != 2 {
		t.Errorf("merged %+v, want join 1 of the first, delivery 3 of the second, and both runs", m)
	}
}

// The text fits a terminal and has all that was assumed; the JSON comes back.
func TestText(t *testing.T) {
	t.Parallel()
	m := measured()
	m.PushUs, m.JoinUs.From = capacity.Figure{}, strings.Repeat("long/", 30)
	r, err := capacity.New(capacity.Config{Clients: []int64{1000, 20_000, 30_000, 40_000}}, m)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	if err := r.WriteText(&b); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(b.String()) {
		if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	words := strings.Join(strings.Fields(b.String()), " ")
	for _, s := range append(append([]string{"40,000", "10 µs assumed"}, r.Assumed...), r.NotMeasured...) {
		if !strings.Contains(words, s) {
			t.Errorf("the text lacks %q:\n%s", s, b.String())
		}
	}
	text, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var read capacity.Report
	if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(&read, r) {
		t.Errorf("JSON %s does not come back: %v", text, err)
	}
}
