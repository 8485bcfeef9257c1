package plan_test

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/script"
)

// with is a local run of 100 clients with a change.
func with(change func(*plan.Config)) plan.Config {
	c := local(100)
	change(&c)
	return c
}

// What cannot be meant is refused by its name, and what is just possible is not.
func TestCheckConfig(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		change func(*plan.Config)
		want   string
	}{
		{"nothing", func(*plan.Config) {}, ""},
		{"clients", func(c *plan.Config) { c.Clients = -1 }, "clients: must not be negative"},
		{"messages", func(c *plan.Config) { c.Messages = -1 }, "messages: must not be negative"},
		{"writers", func(c *plan.Config) { c.Writers = -1 }, "writers: must not be negative"},
		{"servers", func(c *plan.Config) { c.Servers = -1 }, "servers: must not be negative"},
		{"rooms", func(c *plan.Config) { c.Rooms = -1 }, "rooms: must not be negative"},
		{"inflight", func(c *plan.Config) { c.InFlight = -1 }, "inflight: must not be negative"},
		{"pushers", func(c *plan.Config) { c.Pushers = -1 }, "pushers: must not be negative"},
		{"push", func(c *plan.Config) { c.Push = -1 }, "push: must not be negative"},
		{"rate", func(c *plan.Config) { c.Rate = -1 }, "rate: must not be negative"},
		{"connect-rate", func(c *plan.Config) { c.ConnectRate = -1 }, "connect-rate: must not be negative"},
		{"churn", func(c *plan.Config) { c.Churn = -1 }, "churn: must not be negative"},
		{"zipf", func(c *plan.Config) { c.Zipf = -1 }, "zipf: must not be negative"},
		{"for", func(c *plan.Config) { c.For = -1 }, "for: must not be negative"},
		{"drain", func(c *plan.Config) { c.Drain = -1 }, "drain: must not be negative"},
		{"late", func(c *plan.Config) { c.Late = -1 }, "late: must not be negative"},
		{"heartbeat", func(c *plan.Config) { c.Heartbeat = -1 }, "heartbeat: must not be negative"},
		{"rate of NaN", func(c *plan.Config) { c.Rate = math.NaN() }, "rate: NaN is no number"},
		{"endless rate", func(c *plan.Config) { c.Rate = math.Inf(1) }, "rate: +Inf is no number"},
		{"connects of NaN", func(c *plan.Config) { c.ConnectRate = math.NaN() }, "connect-rate: NaN"},
		{"endless churn", func(c *plan.Config) { c.Churn = math.Inf(1) }, "churn: +Inf"},
		{"Zipf of NaN", func(c *plan.Config) { c.Zipf = math.NaN() }, "zipf: NaN"},
		{"slow of NaN", func(c *plan.Config) { c.Slow = math.NaN() }, "slow: NaN"},
		{"no room for a stamp", func(c *plan.Config) { c.Size = 10 }, "size: must be at least"},
		{"all slow", func(c *plan.Config) { c.Slow = 100 }, "slow: must be a percentage below 100"},
		{"most slow", func(c *plan.Config) { c.Slow = 99.9 }, ""},
		{"below none slow", func(c *plan.Config) { c.Slow = -1 }, "slow: must be a percentage"},
		{"drained", func(c *plan.Config) { c.Scenario, c.How = plan.Storm, plan.Drain }, ""},
		{"killed", func(c *plan.Config) { c.Scenario, c.How = plan.Storm, plan.Crash }, ""},
		{"another way down", func(c *plan.Config) { c.Scenario, c.How = plan.Storm, "crash" }, `how: "crash": want drain or kill`},
		{"who is there", func(c *plan.Config) { c.Presence = "sample" }, ""},
		{"who is there, otherwise", func(c *plan.Config) { c.Presence = "all" }, `presence: "all": want full, sample or count`},
		{"all write", func(c *plan.Config) { c.Writers = 100 }, ""},
		{"more than all write", func(c *plan.Config) { c.Writers = 101 }, "writers: 101 of 100 clients"},
		{"many writers of any number of clients", func(c *plan.Config) { c.Clients, c.Writers = 0, 101 }, ""},
		{"a room for each", func(c *plan.Config) { c.Scenario, c.Rooms = plan.Rooms, 100 }, ""},
		{"more rooms", func(c *plan.Config) { c.Scenario, c.Rooms = plan.Rooms, 101 }, "rooms: 101 for 100 clients: each needs one"},
		{"rooms for any number of clients", func(c *plan.Config) { c.Scenario, c.Clients, c.Rooms = plan.Rooms, 0, 101 }, ""},
		{"all push", func(c *plan.Config) { c.Scenario, c.Pushers = plan.Burst, 100 }, ""},
		{"more than all push", func(c *plan.Config) { c.Scenario, c.Pushers = plan.Burst, 101 }, "pushers: 101 of 100 clients"},
		{"too short for a heartbeat", func(c *plan.Config) { c.Scenario, c.For = plan.Idle, 29*time.Second }, "for: in 29s no client sends a heartbeat, because the first comes after 30s"},
		{"just long enough", func(c *plan.Config) { c.Scenario, c.For = plan.Idle, 30*time.Second }, ""},
		{"with more heartbeats", func(c *plan.Config) { c.Scenario, c.For, c.Heartbeat = plan.Idle, 3*time.Second, time.Second }, ""},
		{"a storm elsewhere", func(c *plan.Config) { c.Scenario, c.URL = plan.Storm, "ws://192.0.2.1" }, "storm: only servers that were started here"},
		{"a kill elsewhere", func(c *plan.Config) { c.Scenario, c.URL = plan.Kill, "ws://192.0.2.1" }, "kill: only servers that were started here"},
		{"no server", func(c *plan.Config) { c.ServerCommand = nil }, "url: neither a server nor a command to start one"},
		{"no file", func(c *plan.Config) { c.Scenario = plan.App }, "app: say which scenario file"},
		{"a bad file", func(c *plan.Config) { c.Scenario, c.Script, c.ScriptName = plan.App, &script.Source{}, "a.yaml" }, "a.yaml: it is empty"},
		{"too few rows", func(c *plan.Config) {
			c.Scenario, c.ScriptName, c.Script = plan.App, "a.yaml", &script.Source{Text: []byte("target: {url: ws://h}\nusers: {file: u.csv, count: 2}\ntopics: [{topic: a}]\n"), Columns: []string{"id"}, Rows: [][]string{{"1"}, {"2"}}}
		}, "a.yaml: users: 100 users, and 2 rows in u.csv"},
	} {
		err := with(test.change).Check()
		if (err == nil) != (test.want == "") || err != nil && !strings.HasPrefix(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
}

// What nobody says is filled in, of the scenario first, and what somebody says stays.
func TestCompleteConfig(t *testing.T) {
	t.Parallel()
	said := plan.Config{
		Scenario: plan.Soak, InFlight: 1, How: plan.Crash, For: time.Second, Push: 2, Rooms: 3, Zipf: 4, Slow: 5.5, Writers: 6, Late: 7, Size: 8, Drain: 9, Topic: "a", Event: "b",
	}
	if got := said.Complete(); got.InFlight != 1 || got.How != plan.Crash || got.For != time.Second || got.Push != 2 || got.Rooms != 3 || got.Zipf != 4 || got.Slow != 5.5 ||
		got.Writers != 6 || got.Late != 7 || got.Size != 8 || got.Drain != 9 || got.Topic != "a" || got.Event != "b" || got.Scenario != plan.Soak {
		t.Errorf("what was said became %+v", got)
	}
	app := script.Source{Text: []byte("target: {url: ws://h}\nusers: {count: 7, connect: 3}\nfor: 4s\ntopics: [{topic: a}]\n")}
	for _, test := range []struct {
		name           string
		config         plan.Config
		clients        int
		length         time.Duration
		size, messages int
		pushers        int
		connects       float64
	}{
		{"chat", plan.Config{}, 0, 10 * time.Second, 128, 0, 0, 0},
		{"idle", plan.Config{Scenario: plan.Idle}, 0, time.Minute, 128, 0, 0, 0},
		{"soak", plan.Config{Scenario: plan.Soak}, 0, time.Hour, 128, 0, 0, 0},
		{"slow", plan.Config{Scenario: plan.Slow}, 0, 10 * time.Second, 16 << 10, 0, 0, 0},
		{"burst", plan.Config{Scenario: plan.Burst}, 1000, 10 * time.Second, 1_200_000, 3, 10, 0},
		{"burst of few", plan.Config{Scenario: plan.Burst, Clients: 4}, 4, 10 * time.Second, 1_200_000, 3, 4, 0},
		{"a file", plan.Config{Scenario: plan.App, Script: &app}, 7, 4 * time.Second, 128, 0, 0, 3},
		{"a file, and said otherwise", plan.Config{Scenario: plan.App, Script: &app, Clients: 9, ConnectRate: 5, For: time.Second}, 9, time.Second, 128, 0, 0, 5},
	} {
		got := test.config.Complete()
		if got.Clients != test.clients || got.For != test.length || got.Size != test.size || got.Messages != test.messages || got.Pushers != test.pushers || got.ConnectRate != test.connects {
			t.Errorf("%s: %d clients for %v, %d messages of %d bytes, %d pushers, %v connects a second, want %d, %v, %d, %d, %d and %v",
				test.name, got.Clients, got.For, got.Messages, got.Size, got.Pushers, got.ConnectRate, test.clients, test.length, test.messages, test.size, test.pushers, test.connects)
		}
		if got.InFlight != 256 || got.How != plan.Drain || got.Writers != 1 || got.Late != 10*time.Second || got.Drain != 10*time.Second || got.Topic != "room:lobby" || got.Event != "new_msg" || got.Rooms != 100 || got.Zipf != 1 {
			t.Errorf("%s: %+v", test.name, got)
		}
	}
	for push, want := range map[int]int{1: 1, plan.PushSize: 1, plan.PushSize + 1: 2, 16_000_000: 800} {
		if got := (plan.Config{Push: push}).Pushes(); got != want {
			t.Errorf("%d bytes are %d pushes, want %d", push, got, want)
		}
	}
}

// How processes and processors are divided follows from how many of each there are.
func TestProcessors(t *testing.T) {
	t.Parallel()
	cores := func(n int) kernel.Host {
		h := small
		h.Cores, h.FilesHard, h.Memory = n, 2_000_000, 400<<30
		h.FileMax, h.NrOpen = kernel.Unlimited, kernel.Unlimited
		return h
	}
	app := script.Source{Text: []byte("target: {url: ws://h}\ntopics: [{topic: a}]\n")}
	for _, test := range []struct {
		name                         string
		host                         kernel.Host
		change                       func(*plan.Config)
		processes, punctual, ramping int
		serverProcs, clientProcs     int
		slack                        time.Duration
	}{
		{"a few on a small host", cores(2), func(*plan.Config) {}, 1, 1, 1, 0, 2, 5 * time.Millisecond},
		{"many on a small host", cores(2), func(c *plan.Config) { c.Clients = 100_000 }, 1, 1, 1, 0, 2, 5 * time.Millisecond},
		{"on eight processors", cores(8), func(c *plan.Config) { c.Clients = 100_000 }, 4, 1, 4, 0, 2, 5 * time.Millisecond},
		{"one for each 10,000", cores(64), func(c *plan.Config) { c.Clients = 30_001 }, 4, 1, 4, 0, 2, 5 * time.Millisecond},
		{"three writers", cores(8), func(c *plan.Config) { c.Clients, c.Writers = 100_000, 3 }, 4, 3, 4, 0, 2, 5 * time.Millisecond},
		{"more writers than processes", cores(8), func(c *plan.Config) { c.Clients, c.Writers = 100_000, 9 }, 4, 4, 4, 0, 2, 5 * time.Millisecond},
		{"echo is busy", cores(8), func(c *plan.Config) { c.Scenario = plan.Echo }, 8, 1, 8, 0, 2, 5 * time.Millisecond},
		{"echo of few", cores(8), func(c *plan.Config) { c.Scenario, c.Clients = plan.Echo, 3 }, 3, 1, 3, 0, 2, 5 * time.Millisecond},
		{"echo at a rate", cores(8), func(c *plan.Config) { c.Scenario, c.Rate = plan.Echo, 1 }, 8, 8, 8, 0, 2, 5 * time.Millisecond},
		{"churn is punctual", cores(8), func(c *plan.Config) { c.Scenario, c.Clients = plan.Churn, 100_000 }, 4, 4, 4, 0, 2, 5 * time.Millisecond},
		{"rooms have writers everywhere", cores(8), func(c *plan.Config) { c.Scenario, c.Clients = plan.Rooms, 100_000 }, 4, 4, 4, 0, 2, 5 * time.Millisecond},
		{"a file", cores(4), func(c *plan.Config) { c.Scenario, c.Script, c.URL = plan.App, &app, "ws://127.0.0.1:1" }, 4, 4, 4, 0, 2, 5 * time.Millisecond},
		{"as many as processors", cores(2), func(c *plan.Config) { c.Scenario, c.Clients = plan.Echo, 2 }, 2, 1, 2, 0, 2, 5 * time.Millisecond},
		{"more servers than processors", cores(2), func(c *plan.Config) { c.Servers = 3 }, 1, 1, 1, 1, 2, 5 * time.Millisecond},
		{"as many servers", cores(2), func(c *plan.Config) { c.Servers = 2 }, 1, 1, 1, 0, 2, 5 * time.Millisecond},
		{"a crowd", cores(2), func(c *plan.Config) { c.Servers = 8 }, 1, 1, 1, 1, 2, 100 * time.Millisecond},
		{"just no crowd", cores(2), func(c *plan.Config) { c.Servers = 7 }, 1, 1, 1, 1, 2, 5 * time.Millisecond},
	} {
		p, err := plan.New(with(test.change), test.host)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if len(p.Processes) != test.processes || p.Punctual != test.punctual || p.Ramping != test.ramping || p.ServerProcs != test.serverProcs || p.ClientProcs != test.clientProcs || p.Slack != test.slack {
			t.Errorf("%s: %d processes, %d of them punctual, %d ramp at a time, servers have %d processors, clients %d, slack %v, want %d, %d, %d, %d, %d and %v",
				test.name, len(p.Processes), p.Punctual, p.Ramping, p.ServerProcs, p.ClientProcs, p.Slack, test.processes, test.punctual, test.ramping, test.serverProcs, test.clientProcs, test.slack)
		}
	}
}

// How much is sent: what was said, or what a host can bear, for long enough to be seen.
func TestPaces(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name     string
		change   func(*plan.Config)
		rate     float64
		messages int
		tick     time.Duration
	}{
		{"few clients", func(*plan.Config) {}, 2, 20, 275 * time.Millisecond},
		{"a rate", func(c *plan.Config) { c.Rate = 10 }, 10, 20, 100 * time.Millisecond},
		{"one a second", func(c *plan.Config) { c.Rate = 1 }, 1, 20, 525 * time.Millisecond},
		{"seldom", func(c *plan.Config) { c.Rate = 0.1 }, 0.1, 6, time.Second},
		{"very seldom", func(c *plan.Config) { c.Rate = 0.01 }, 0.01, 5, time.Second},
		{"so many", func(c *plan.Config) { c.Messages = 3 }, 2, 3, 100 * time.Millisecond},
		{"so many writers", func(c *plan.Config) { c.Writers = 100 }, 2, 20, 275 * time.Millisecond},
		{"burst", func(c *plan.Config) { c.Scenario = plan.Burst }, 0, 3, 100 * time.Millisecond},
		{"soak", func(c *plan.Config) { c.Scenario, c.For, c.Rate = plan.Soak, time.Minute, 3 }, 3, 180, time.Second},
		{"soak of so many", func(c *plan.Config) { c.Scenario, c.For, c.Messages = plan.Soak, time.Minute, 5 }, 2, 5, 100 * time.Millisecond},
		{"soak that is short", func(c *plan.Config) { c.Scenario, c.For, c.Rate = plan.Soak, time.Second, 0.1 }, 0.1, 1, 275 * time.Millisecond},
		{"many rooms", func(c *plan.Config) { c.Scenario, c.Clients, c.Rooms = plan.Rooms, 1000, 1000 }, 0.5, 20, time.Second},
		{"idle for long", func(c *plan.Config) { c.Scenario, c.For = plan.Idle, time.Hour }, 2, 20, time.Second},
	} {
		p, err := plan.New(with(test.change), small)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if math.Abs(p.Rate-test.rate) > 1e-9 || p.Messages != test.messages || p.Tick.Round(time.Millisecond) != test.tick {
			t.Errorf("%s: %d messages at %v a second, a look every %v, want %d, %v and %v", test.name, p.Messages, p.Rate, p.Tick, test.messages, test.rate, test.tick)
		}
	}
	for clients, want := range map[int]time.Duration{100: 30 * time.Second, 102_000: 30 * time.Second, 102_001: time.Minute, 1_000_000: 5 * time.Minute} {
		h := small
		h.FilesHard, h.Memory, h.FileMax, h.NrOpen = 4_000_000, 400<<30, kernel.Unlimited, kernel.Unlimited
		p, err := plan.New(local(clients), h)
		if err != nil {
			t.Fatal(err)
		}
		if p.Heartbeat != want {
			t.Errorf("%d clients send a heartbeat every %v, want %v", clients, p.Heartbeat, want)
		}
	}
	if p, err := plan.New(with(func(c *plan.Config) { c.Heartbeat = time.Second }), small); err != nil || p.Heartbeat != time.Second || p.Churn != 1 {
		t.Errorf("a heartbeat every %v, %v clients leave a second, %v", p.Heartbeat, p.Churn, err)
	}
}

// A plan says why it is as it is, and nothing that is not so.
func TestPlanSays(t *testing.T) {
	t.Parallel()
	app := script.Source{Text: []byte("target: {url: ws://h}\ntopics: [{topic: a}]\n")}
	for _, test := range []struct {
		name          string
		change        func(*plan.Config)
		says, saysNot []string
	}{
		{"least", func(*plan.Config) {}, []string{
			"100 clients of 1 server process, all in one room.", "1 process of clients.", "Each room's writer sends 20 messages of 128 bytes, 2 a second.", "Timer slack is 5ms",
		}, []string{"the limit is", "addresses", "heartbeat every", "which contains nothing of the load generator"}},
		{"two servers", func(c *plan.Config) { c.Servers = 2 }, []string{"100 clients of 2 server processes with up to 50 each", "one cluster over NATS"}, []string{"all in one room."}},
		{"one message", func(c *plan.Config) { c.Messages, c.Writers = 1, 2 }, []string{"Each of the 2 writers of a room sends 1 message of 128 bytes"}, []string{"Each room's writer"}},
		{"a program of its own", func(c *plan.Config) { c.Node = "./node" }, []string{"The servers are ./node, which contains nothing of the load generator."}, nil},
		{"a server that runs", func(c *plan.Config) { c.URL = "ws://127.0.0.1:4" }, []string{"100 clients of ws://127.0.0.1:4."}, []string{"server process"}},
		{"rooms", func(c *plan.Config) { c.Scenario, c.Rooms = plan.Rooms, 10 }, []string{"in 10 rooms of 4 to 32 clients."}, []string{"all in one room"}},
		{"an often heartbeat", func(c *plan.Config) { c.Heartbeat = time.Second }, []string{"A client sends a heartbeat every 1s; official clients send one every 30s"}, nil},
		{"churn", func(c *plan.Config) { c.Scenario, c.Churn = plan.Churn, 2.5 }, []string{"2.5 clients a second leave, and join again"}, nil},
		{"slow", func(c *plan.Config) { c.Scenario, c.Slow = plan.Slow, 12.5 }, []string{"12.5 % of the clients stop reading", "Servers queue up to 64 KiB"}, nil},
		{"slow elsewhere", func(c *plan.Config) { c.Scenario, c.URL = plan.Slow, "ws://127.0.0.1:4" }, []string{"5 % of the clients"}, []string{"Servers queue"}},
		{"burst", func(c *plan.Config) { c.Scenario, c.Pushers = plan.Burst, 1 }, []string{"Before that, 1 client push 16,000,000 bytes each", "in messages of 20,000", "all in one go"}, nil},
		{"echo", func(c *plan.Config) { c.Scenario = plan.Echo }, nil, []string{"writer"}},
		{"a file", func(c *plan.Config) {
			c.Scenario, c.Script, c.ScriptName, c.URL = plan.App, &app, "a.yaml", "ws://127.0.0.1:4"
		}, []string{"By a.yaml, users join a over websocket"}, []string{"writer"}},
	} {
		p, err := plan.New(with(test.change), small)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		why := strings.Join(p.Why, "\n")
		for _, want := range test.says {
			if !strings.Contains(why, want) {
				t.Errorf("%s: says\n%s\nwant %q", test.name, why, want)
			}
		}
		for _, not := range test.saysNot {
			if strings.Contains(why, not) {
				t.Errorf("%s: says\n%s\nwant nothing of %q", test.name, why, not)
			}
		}
	}
}
