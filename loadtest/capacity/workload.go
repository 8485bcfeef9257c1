package capacity

import (
	"cmp"
	"fmt"
	"math"
	"time"
)

// A Workload describes what all clients do. A zero field means its default.
type Workload struct {
	Topics    int           `json:"topics"`       // that each client joins (1)
	RoomSize  float64       `json:"room_size"`    // clients of a room, on average (100)
	Zipf      float64       `json:"zipf"`         // the k-th room has 1/k^Zipf of the first's clients; 0 means that all have as many
	Rate      float64       `json:"rate"`         // messages a second in each room (0.1)
	Bytes     int           `json:"bytes"`        // of a message's payload (128)
	Heartbeat time.Duration `json:"heartbeat_ns"` // between two of a client (30 s)
	Stay      time.Duration `json:"stay_ns"`      // of a client, on average, until it leaves and another one comes (10 min)
}

// A Machine describes the hardware of a node. A zero field means its default.
type Machine struct {
	Cores    float64 `json:"cores"`    // processors (16)
	Memory   float64 `json:"memory"`   // bytes (64 GiB)
	Files    int64   `json:"files"`    // open files of the server process (1,048,576, the kernel's fs.nr_open)
	Network  float64 `json:"network"`  // bits a second in each direction (10 Gbit/s)
	Headroom float64 `json:"headroom"` // share of each that stays free (0.4)
}

// A Config is all that [New] plans for.
type Config struct {
	Clients  []int64       `json:"clients"` // a plan for each (1, 10 and 100 million)
	Workload Workload      `json:"workload"`
	Machine  Machine       `json:"machine"`
	Down     time.Duration `json:"down_ns"` // of a node that dies, until it is back (10 s)
	Seed     uint64        `json:"seed"`    // of the simulation
}

// bounds keep a simulation within seconds and sums exact.
const (
	mostMembers = 1_000_000_000 // clients × topics
	mostNodes   = 10_000
	mostPlans   = 4 // columns of the text
)

// WithDefaults is c with each field that is zero at its default.
func (c Config) WithDefaults() Config {
	if len(c.Clients) == 0 {
		c.Clients = []int64{1_000_000, 10_000_000, 100_000_000}
	}
	w, m := &c.Workload, &c.Machine
	w.Topics = cmp.Or(w.Topics, 1)
	w.RoomSize = cmp.Or(w.RoomSize, 100)
	w.Rate = cmp.Or(w.Rate, 0.1)
	w.Bytes = cmp.Or(w.Bytes, 128)
	w.Heartbeat = cmp.Or(w.Heartbeat, 30*time.Second)
	w.Stay = cmp.Or(w.Stay, 10*time.Minute)
	m.Cores = cmp.Or(m.Cores, 16)
	m.Memory = cmp.Or(m.Memory, 64<<30)
	m.Files = cmp.Or(m.Files, 1<<20)
	m.Network = cmp.Or(m.Network, 10e9)
	m.Headroom = cmp.Or(m.Headroom, 0.4)
	c.Down = cmp.Or(c.Down, 10*time.Second)
	return c
}

// Check fails on a value out of bounds, which it names by its flag of the command.
func (c Config) Check() error {
	c = c.WithDefaults()
	w, m := c.Workload, c.Machine
	if len(c.Clients) > mostPlans {
		return fmt.Errorf("%d numbers of clients: want up to %d", len(c.Clients), mostPlans)
	}
	within := func(v, least, most float64) bool { return v >= least && v <= most } // false for NaN
	for _, n := range c.Clients {
		if n < 1 || !within(float64(n)*float64(w.Topics), 1, mostMembers) {
			return fmt.Errorf("clients %s with topics %d: want 1 client or more, and clients × topics up to %s", count(n), w.Topics, count(mostMembers))
		}
	}
	for _, f := range []struct {
		name               string
		value, least, most float64
		wanted             string
	}{
		{"topics", float64(w.Topics), 1, 20, "1 to 20"},
		{"room", w.RoomSize, 1, mostMembers, "1 client or more"},
		{"zipf", w.Zipf, 0, 3, "0 to 3"},
		{"rate", w.Rate, 0, 1e6, "0 to 1,000,000 a second"},
		{"size", float64(w.Bytes), 1, 1 << 20, "1 byte to 1 MiB"},
		{"heartbeat", w.Heartbeat.Seconds(), 1, 3600, "1s to 1h"},
		{"stay", w.Stay.Seconds(), 10, math.MaxInt32, "10s or more"},
		{"cores", m.Cores, 0.1, 10_000, "more than 0"},
		{"memory", m.Memory, 1 << 20, 1 << 50, "1 MiB or more"},
		{"files", float64(m.Files), ownFiles + 1, 1 << 22, "more than the server's own 64, and up to 4,194,304"},
		{"network", m.Network, 1e6, 1e13, "1 Mbit/s or more"},
		{"headroom", m.Headroom, 0.01, 0.95, "0.01 to 0.95"},
		{"down", c.Down.Seconds(), 0, 3600, "0 to 1h"},
	} {
		if !within(f.value, f.least, f.most) {
			return fmt.Errorf("%s is %v: want %s", f.name, f.value, f.wanted)
		}
	}
	return nil
}
