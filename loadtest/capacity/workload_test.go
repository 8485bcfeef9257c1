package capacity_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/capacity"
)

// Each field has a least and a most that are taken, and beyond them an error that names
// it as the command does.
func TestBounds(t *testing.T) {
	t.Parallel()
	type config = capacity.Config
	seconds := func(v float64) time.Duration { return time.Duration(v * float64(time.Second)) }
	for _, tt := range []struct {
		name                      string
		set                       func(c *config, v float64)
		below, least, most, above float64 // 0 where it would be the default
	}{
		{"topics", func(c *config, v float64) { c.Workload.Topics = int(v) }, 21, 1, 20, 21},
		{"room", func(c *config, v float64) { c.Workload.RoomSize = v }, 0.99, 1, 1e9, 1.01e9},
		{"zipf", func(c *config, v float64) { c.Workload.Zipf = v }, -0.01, 0, 3, 3.01},
		{"rate", func(c *config, v float64) { c.Workload.Rate = v }, -0.01, 1e-9, 1e6, 1.01e6},
		{"size", func(c *config, v float64) { c.Workload.Bytes = int(v) }, -1, 1, 1 << 20, 1<<20 + 1},
		{"heartbeat", func(c *config, v float64) { c.Workload.Heartbeat = seconds(v) }, 0.99, 1, 3600, 3601},
		{"stay", func(c *config, v float64) { c.Workload.Stay = seconds(v) }, 9.9, 10, 1<<31 - 1, 1 << 31},
		{"cores", func(c *config, v float64) { c.Machine.Cores = v }, 0.09, 0.1, 10_000, 10_001},
		{"memory", func(c *config, v float64) { c.Machine.Memory = v }, 1<<20 - 1, 1 << 20, 1 << 50, 1<<50 + 1},
		{"files", func(c *config, v float64) { c.Machine.Files = int64(v) }, 64, 65, 1 << 22, 1<<22 + 1},
		{"network", func(c *config, v float64) { c.Machine.Network = v }, 0.99e6, 1e6, 1e13, 1.01e13},
		{"headroom", func(c *config, v float64) { c.Machine.Headroom = v }, 0.009, 0.01, 0.95, 0.951},
		{"down", func(c *config, v float64) { c.Down = seconds(v) }, -1, 0, 3600, 3601},
	} {
		for v, good := range map[float64]bool{tt.below: false, tt.least: true, tt.most: true, tt.above: false} {
			c := config{Clients: []int64{1}}
			tt.set(&c, v)
			switch err := c.Check(); {
			case good && err != nil:
				t.Errorf("%s %v: %v, want it taken", tt.name, v, err)
			case !good && (err == nil || !strings.HasPrefix(err.Error(), tt.name+" is ") || !strings.Contains(err.Error(), ": want ")):
				t.Errorf("%s %v: %v, want an error that names it and what is wanted", tt.name, v, err)
			}
		}
	}
}

// Clients are bounded together with their topics, and each number of them is looked at.
func TestBoundsOfClients(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		clients []int64
		topics  int
		want    string // of the error; "" for none
	}{
		{[]int64{1, 2, 3, 1_000_000_000}, 1, ""},
		{[]int64{50_000_000}, 20, ""},
		{[]int64{50_000_001}, 20, "clients 50,000,001 with topics 20: want 1 client or more, and clients × topics up to 1,000,000,000"},
		{[]int64{1, 1_000_000_001}, 1, "clients 1,000,000,001 with topics 1"},
		{[]int64{10, -100}, 1, "clients -100 with topics 1: want 1 client or more"},
		{[]int64{-1_234_567}, 1, "clients -1,234,567 with topics 1"},
	} {
		err := capacity.Config{Clients: tt.clients, Workload: capacity.Workload{Topics: tt.topics}}.Check()
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.HasPrefix(err.Error(), tt.want)) {
			t.Errorf("%v clients of %d topics: %v, want %q", tt.clients, tt.topics, err, tt.want)
		}
	}
}

// Whatever is set stays, and what is left out has the default that its comment and the
// command's help tell.
func TestDefaults(t *testing.T) {
	t.Parallel()
	want := capacity.Config{
		Clients:  []int64{1_000_000, 10_000_000, 100_000_000},
		Workload: capacity.Workload{Topics: 1, RoomSize: 100, Rate: 0.1, Bytes: 128, Heartbeat: 30 * time.Second, Stay: 10 * time.Minute},
		Machine:  capacity.Machine{Cores: 16, Memory: 64 << 30, Files: 1 << 20, Network: 10e9, Headroom: 0.4},
		Down:     10 * time.Second,
	}
	if got := (capacity.Config{}).WithDefaults(); !reflect.DeepEqual(got, want) {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
	all := capacity.Config{
		Clients:  []int64{7},
		Workload: capacity.Workload{Topics: 2, RoomSize: 3, Zipf: 0.5, Rate: 4, Bytes: 5, Heartbeat: 6 * time.Second, Stay: 70 * time.Second},
		Machine:  capacity.Machine{Cores: 8, Memory: 9 << 20, Files: 100, Network: 11e6, Headroom: 0.12},
		Down:     13 * time.Second, Seed: 14,
	}
	if got := all.WithDefaults(); !reflect.DeepEqual(got, all) {
		t.Errorf("%+v becomes %+v, want it left as it is", all, got)
	}
}
