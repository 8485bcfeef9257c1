package plan_test

import (
	"errors"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/script"
)

// small is a host like that of a continuous integration.
var small = kernel.Host{
	FilesHard: 20_000, NrOpen: 1_048_576, FileMax: 2_400_000, EpollWatches: kernel.Unlimited, Ports: 28_232, ConntrackMax: kernel.Unknown,
	Somaxconn: 4096, SynCookies: 1, Memory: 24 << 30, ThreadsMax: kernel.Unlimited, PidMax: kernel.Unlimited, Cores: 2,
}

func local(clients int) plan.Config {
	return plan.Config{Clients: clients, ServerCommand: []string{"loadtest", "server"}, ClientCommand: []string{"loadtest", "clients"}}
}

func TestPlan(t *testing.T) {
	remote := local(10_000)
	remote.URL = "ws://192.0.2.1:4000"
	writers := local(10_000)
	writers.Writers = 5
	churn := local(10_000)
	churn.Scenario = plan.Churn
	slow := local(10_000)
	slow.Scenario = plan.Slow
	burst := local(0)
	burst.Scenario = plan.Burst
	soak := local(10_000)
	soak.Scenario = plan.Soak
	apart := local(100_000)
	apart.Apart = true
	foreign := local(100_000)
	foreign.ServerCommand = []string{"elixir"}
	fast := local(10_000)
	fast.Rate = 100_000
	fast.Messages = 20
	many := small
	many.FilesHard, many.Cores, many.Memory = 2_000_000, 64, 64<<30
	many.FileMax = kernel.Unlimited
	for _, test := range []struct {
		name                string
		config              plan.Config
		host                kernel.Host
		clients             int
		servers, processes  int
		perSource, messages int
		rate                float64
		why                 string // a part of the sentences
	}{
		{"default", local(0), small, 10_000, 1, 1, 13_675, 20, 2, "10,000 clients of 1 server process"},
		{"one", local(1), small, 1, 1, 1, 13_675, 20, 2, "1 process of clients"},
		{"little memory", local(1), small, 1, 1, 1, 13_675, 20, 2, "Memory: about 13 MB are needed, 25.8 GB"},
		{"all that a process may", local(19_800), small, 19_800, 1, 1, 13_675, 20, 2, "127.0.0.1 to 127.0.0.2"},
		{"one more", local(19_801), small, 19_801, 2, 2, 13_675, 20, 2, "the limit is 20,000 files per process"},
		{"100,000", local(100_000), small, 100_000, 6, 6, 13_675, 20, .5, "6 server processes with up to 16,667 each: the limit is 20,000 files per process. They are one cluster over NATS, with one room for all clients"},
		{"100,000 apart", apart, small, 100_000, 6, 6, 13_675, 20, .5, "Each process is a room of its own"},
		{"100,000 of another server", foreign, small, 100_000, 6, 6, 13_675, 20, .5, "They are one cluster, whose nodes find each other, with one room"},
		{"fast", fast, small, 10_000, 1, 1, 13_675, 20, 100_000, "20 messages of 128 bytes, 100,000 a second"},
		{"a million", local(1_000_000), small, 1_000_000, 51, 51, 13_675, 5, .05, "51 processes of clients"},
		{"a million on a large host", local(1_000_000), many, 1_000_000, 1, 32, 13_675, 20, 1.6, "74 addresses"},
		{"writers", writers, small, 10_000, 1, 1, 13_675, 20, 1, "Each of the 5 writers of a room sends 20 messages of 128 bytes, 1 a second"},
		{"churn", churn, small, 10_000, 1, 1, 13_675, 20, 2, "100 clients a second leave"},
		{"slow", slow, small, 10_000, 1, 1, 13_675, 20, 2, "20 messages of 16384 bytes, 2 a second.\n5 % of the clients stop reading"},
		{"burst", burst, small, 1000, 1, 1, 13_675, 3, 0, "3 messages of 1200000 bytes, all in one go.\nBefore that, 10 clients push 16,000,000 bytes each in one go"},
		{"soak", soak, small, 10_000, 1, 1, 13_675, 7_200, 2, "7,200 messages"},
		{"remote", remote, small, 10_000, 1, 1, 0, 20, 2, "clients of ws://192.0.2.1:4000"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := plan.New(test.config, test.host)
			if err != nil {
				t.Fatalf("New() = %v", err)
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
	short.Memory = 40_000_000 // two processes, and 27 MB for clients of 9 KB
	p, err := plan.New(local(0), short)
	if err != nil || p.Clients < 2_500 || p.Clients > 3_200 {
		t.Errorf("New() = %d clients, %v, want some 2,900", p.Clients, err)
	}
	if _, err := plan.New(local(5_000), short); !errors.Is(err, plan.ErrTooMany) {
		t.Errorf("New() = %v, want ErrTooMany: that many were asked for", err)
	}
}

// checkDivision fails unless each client of each room is held by one process.
func checkDivision(t *testing.T, p plan.Plan) {
	t.Helper()
	next := 0
	rooms := make([]int, len(p.Rooms))
	at := make([]int, len(p.Servers))
	for i, process := range p.Processes {
		held := 0
		for _, e := range process {
			if e.First != next {
				t.Errorf("process %d has client %d of room %d first, want %d", i, e.First, e.Room, next)
			}
			next += e.Count
			rooms[e.Room] += e.Count
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
	if !slices.Equal(rooms, p.Rooms) {
		t.Errorf("rooms have %v clients in processes, want %v", rooms, p.Rooms)
	}
}

// The k-th room has some 1/k^s of the clients of the first, and each is spread over
// the servers of a cluster.
func TestPlanOfRooms(t *testing.T) {
	for _, test := range []struct {
		name           string
		clients, rooms int
		zipf           float64
		servers        int
		want           []int // sizes of the first rooms
		last           int
	}{
		{"default", 10_000, 0, 0, 1, []int{1909, 956, 637, 478}, 20},
		{"equal", 1_000, 10, 1e-9, 1, []int{100, 100, 100}, 100},
		{"steep", 1_000, 10, 2, 1, []int{640, 161, 71, 41}, 7},
		{"more rooms than clients", 5, 100, 1, 1, []int{1, 1, 1, 1, 1}, 1},
		{"cluster", 10_000, 20, 1, 4, []int{2775, 1388, 926, 694}, 140},
		{"many processes", 100_000, 1_000, 1, 1, []int{13_227, 6_613, 4_410}, 14},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := local(test.clients)
			c.Scenario, c.Rooms, c.Zipf, c.Servers = plan.Rooms, test.rooms, test.zipf, test.servers
			p, err := plan.New(c, small)
			if err != nil {
				t.Fatalf("New() = %v", err)
			}
			if got := p.Rooms[:len(test.want)]; !slices.Equal(got, test.want) || p.Rooms[len(p.Rooms)-1] != test.last {
				t.Errorf("rooms of %v … %d clients, want %v … %d", got, p.Rooms[len(p.Rooms)-1], test.want, test.last)
			}
			checkDivision(t, p)
			at := make([]int, len(p.Servers)) // clients of the first room
			for _, process := range p.Processes {
				for _, e := range process {
					if e.Room == 0 {
						at[e.Server] += e.Count
					}
				}
			}
			if fair := p.Rooms[0] / len(at); slices.Min(at) < fair*9/10 {
				t.Errorf("the first room has %v clients at the servers, want some %d at each", at, fair)
			}
		})
	}
	apart := local(1_000)
	apart.Scenario, apart.Apart, apart.Servers = plan.Rooms, true, 2
	if _, err := plan.New(apart, small); err == nil {
		t.Error("New() of rooms of servers apart = nil, want an error")
	}
}

func TestPlanRefuses(t *testing.T) {
	files := small
	files.FileMax = 12_000
	short := small
	short.Memory = 5 << 30
	fewest := small
	fewest.FilesHard = 64
	forced := local(3_000_000)
	forced.Force = true
	remote := local(40_000)
	remote.URL = "ws://192.0.2.1:4000"
	from := func(list, url string) plan.Config {
		c := local(40_000)
		c.URL = url
		var err error
		if c.From, err = order.ParseSources(list); err != nil {
			t.Fatal(err)
		}
		return c
	}
	named := from("10.0.0.1", "ws://example.invalid")
	named.Addrs = []netip.AddrPort{netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.2:80")}
	lean := small
	lean.Memory = 400 << 20
	app := from("2001:db8::/64", "ws://[2001:db8:1::1]:4000")
	app.Scenario, app.Clients = plan.App, 20_000
	app.Script = &script.Source{Text: []byte("target: {url: ws://h}\ntopics: [{topic: a}]\n")}
	for _, test := range []struct {
		name   string
		config plan.Config
		host   kernel.Host
		want   string // "" is no refusal
	}{
		{"memory of clients", from("2001:db8::/64", "ws://[2001:db8:1::1]:4000"), lean, ""},
		{"memory of clients with TLS", from("2001:db8::/64", "wss://[2001:db8:1::1]:4000"), lean, "memory (host) is enough for 36,"},
		{"memory of users", app, lean, "memory (host) is enough for 13,"},
		{"ports of two addresses", from("10.0.0.1,10.0.0.2", "ws://192.0.2.1:4000"), small, ""},
		{"ports of a prefix", from("2001:db8::/64", "ws://[2001:db8:1::1]:4000"), small, ""},
		{"ports of one address to two of the server", named, small, ""},
		{"ports of one address", from("10.0.0.1", "ws://192.0.2.1:4000"), small, "is enough for 28,232"},
		{"ports of one loopback address", from("127.0.0.1", "ws://127.0.0.1:4000"), small, "is enough for 28,232"},
		{"memory", local(1_000_000), short, "memory (host) is enough for 528,"},
		{"memory, forced", forced, short, ""},
		{"files", local(8_000), files, "fs.file-max (host) is enough for 5,984: it is 12,000, 16,032 is needed"},
		{"files of a process", local(10), fewest, "RLIMIT_NOFILE (process) is enough for 0: it is 64, 256 is needed; raise ulimit -Hn"},
		{"files of a process, no number of clients", local(0), fewest, "RLIMIT_NOFILE (process) is enough for 0"},
		{"ports", remote, small, "net.ipv4.ip_local_port_range (network namespace) is enough for 28,232: it is 28,232, 40,000 is needed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := plan.New(test.config, test.host)
			switch {
			case test.want == "" && err != nil:
				t.Errorf("New() = %v, want a plan", err)
			case test.want != "" && (!errors.Is(err, plan.ErrTooMany) || !strings.Contains(err.Error(), test.want)):
				t.Errorf("New() = %v, want ErrTooMany with %q", err, test.want)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	for _, test := range []struct {
		config plan.Config
		want   string // "" is fine
	}{
		{plan.Config{URL: "ws://localhost:4000"}, ""},
		{plan.Config{URL: "ws://localhost:4000/live/websocket?token=x", Size: 100}, ""},
		{plan.Config{}, "neither a server"},
		{plan.Config{URL: "wss://localhost"}, ""},
		{plan.Config{URL: "ws://localhost", TLS: order.TLS{Insecure: true}}, "without TLS"},
		{plan.Config{ServerCommand: []string{"x"}, TLS: order.TLS{CA: "file"}}, "started here do not speak TLS"},
		{plan.Config{URL: "ws://localhost?vsn=1.0.0"}, "this program speaks version 2.0.0 of Channels"},
		{plan.Config{URL: "ws://localhost?vsn=1.0.0", Protocol: plan.Raw}, ""},
		{plan.Config{ServerCommand: []string{"x"}, From: order.Sources{netip.MustParsePrefix("127.0.0.1/32")}}, "clients of servers that are started here"},
		{plan.Config{URL: "ws://localhost", Size: 50}, "at least 100"},
		{plan.Config{URL: "ws://localhost", Clients: -1}, "clients"},
		{plan.Config{URL: "ws://localhost", Rate: -1}, "rate"},
		{plan.Config{URL: "ws://localhost", Slow: 100}, "slow"},
		{plan.Config{URL: "ws://localhost", Rate: math.NaN()}, "rate: NaN is no number"},
		{plan.Config{URL: "ws://localhost", ConnectRate: math.Inf(1)}, "connect-rate: +Inf is no number"},
		{plan.Config{URL: "ws://localhost", Slow: math.NaN()}, "slow: NaN"},
		{plan.Config{URL: "ws://localhost", Push: -1}, "push: must not be negative"},
		{plan.Config{URL: "ws://localhost", Scenario: plan.Burst, Pushers: 11, Clients: 10}, "pushers: 11 of 10 clients"},
		{plan.Config{URL: "ws://localhost", Writers: -1}, "writers: must not be negative"},
		{plan.Config{URL: "ws://localhost", Writers: 11, Clients: 10}, "writers: 11 of 10 clients"},
		{plan.Config{URL: "ws://localhost", Scenario: plan.Rooms, Rooms: 11, Clients: 10}, "rooms: 11 for 10 clients"},
		{plan.Config{URL: "ws://localhost", Scenario: plan.Idle, For: 5 * time.Second}, "for: in 5s no client sends a heartbeat, because the first comes after 30s"},
		{plan.Config{URL: "ws://localhost", Scenario: plan.Idle, For: 5 * time.Second, Heartbeat: time.Second}, ""},
		{plan.Config{URL: "localhost:4000"}, "want ws://host:port"},
		{plan.Config{URL: "http://localhost:4000"}, "want ws://host:port"},
	} {
		err := test.config.Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Check(%+v) = %v, want %q", test.config, err, test.want)
		}
	}
}
