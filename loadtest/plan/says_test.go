package plan_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

func sourcesOf(t *testing.T, list string) order.Sources {
	t.Helper()
	s, err := order.ParseSources(list)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// Whose TCP the clients have is said where somebody asked or they are many, and what
// follows from it, and not elsewhere.
func TestPlanSaysWhoseTCP(t *testing.T) {
	t.Parallel()
	able := small
	able.TUN, able.BPF, able.FileMax = true, true, kernel.Unlimited
	const (
		nice      = "and with nice -10, because each reads what all servers send to its device"
		kernelTCP = "The clients have kernel sockets (-client-tcp kernel): "
		virtual   = "They take no files, no ports and no kernel memory."
		elsewhere = "They take no files, no ports and no kernel memory here; the kernel forwards their packets."
		program   = "A program in the kernel compares and acknowledges most broadcasts."
	)
	for _, test := range []struct {
		name          string
		host          kernel.Host
		change        func(*plan.Config)
		says, saysNot []string
	}{
		{"few", able, func(*plan.Config) {}, nil, []string{kernelTCP, virtual, nice, program}},
		{"few, and somebody asked", able, func(c *plan.Config) { c.ClientTCP = order.KernelTCP }, []string{kernelTCP + "it was asked for."}, []string{virtual}},
		{"many", able, func(c *plan.Config) { c.Clients = 100_000 }, []string{"(-client-tcp bpf): they are 100,000 or more. " + virtual, program}, []string{kernelTCP, nice}},
		{"one less", able, func(c *plan.Config) { c.Clients = 99_999 }, nil, []string{kernelTCP, virtual}},
		{"many without a device", small, func(c *plan.Config) { c.Clients = 100_000 }, []string{kernelTCP + "clients without sockets need root"}, []string{virtual}},
		{"a device", able, func(c *plan.Config) { c.ClientTCP = order.TUN }, []string{"(-client-tcp tun): it was asked for. " + virtual, nice}, []string{program}},
		{"a device towards a server elsewhere", able, func(c *plan.Config) {
			c.ClientTCP, c.URL, c.From = order.TUN, "ws://192.0.2.1", sourcesOf(t, "10.9.0.0/16")
		}, []string{"(-client-tcp tun): it was asked for. " + elsewhere, "Clients connect from 10.9.0.0/16 in turn: 65,534 addresses."}, []string{virtual + "\n", program}},
	} {
		p, err := plan.New(with(test.change), test.host)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		why := strings.Join(p.Why, "\n") + "\n"
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

// What clients connect from and to is said where it is more than one address.
func TestPlanSaysAddresses(t *testing.T) {
	t.Parallel()
	addrs := func(list ...string) (all []netip.AddrPort) {
		for _, a := range list {
			all = append(all, netip.MustParseAddrPort(a))
		}
		return all
	}
	for _, test := range []struct {
		name          string
		change        func(*plan.Config)
		says, saysNot string
	}{
		{"one to one", func(c *plan.Config) { c.Addrs = addrs("192.0.2.1:80") }, "", "in turn"},
		{"one to two", func(c *plan.Config) { c.Addrs = addrs("192.0.2.1:80", "192.0.2.2:80") },
			"The server has 2 addresses, to which clients connect in turn: 192.0.2.1, 192.0.2.2.", "Clients connect from"},
		{"two to one", func(c *plan.Config) {
			c.Addrs, c.From = addrs("192.0.2.1:80"), sourcesOf(t, "10.0.0.1,10.0.0.2")
		}, "Clients connect from 10.0.0.1,10.0.0.2 in turn: 2 addresses.", "The server has"},
		{"one of ours", func(c *plan.Config) {
			c.Addrs, c.From = addrs("192.0.2.1:80"), sourcesOf(t, "10.0.0.1")
		}, "Clients connect from 10.0.0.1 in turn: 1 address.", "The server has"},
		{"many of loopback", func(c *plan.Config) { c.URL, c.Clients = "", 15_000 },
			"Clients connect from 2 addresses, 127.0.0.1 to 127.0.0.2: beyond 13,675 connections from one address to one server", "The server has"},
		{"few of loopback", func(c *plan.Config) { c.URL = "" }, "", "Clients connect from"},
	} {
		p, err := plan.New(with(func(c *plan.Config) {
			c.URL = "ws://example.invalid"
			test.change(c)
		}), small)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if why := strings.Join(p.Why, "\n"); !strings.Contains(why, test.says) || strings.Contains(why, test.saysNot) {
			t.Errorf("%s: says\n%s\nwant %q and nothing of %q", test.name, why, test.says, test.saysNot)
		}
	}
}

// The sentences of agents have what each of them has, and what it does.
func TestPlanSaysAgents(t *testing.T) {
	t.Parallel()
	large := small
	large.Cores, large.FilesHard, large.Ports, large.Memory = 1, 60_000, 50_000, 2e9
	cfg := plan.Config{URL: "ws://192.0.2.1:4000"}
	p, err := plan.NewAt(cfg, []plan.Site{{Addr: "a:1", Commit: "abc", Host: small}, {Addr: "b:1", Host: large, From: sourcesOf(t, "10.0.0.0/24")}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"10,000 clients of ws://192.0.2.1:4000, at 2 agents.",
		"Agent a:1: 5,000 clients in 1 process; 20,000 files per process, 28,232 ports, 2 cores, 25.8 GB of memory available, commit abc.",
		"Agent b:1: 5,000 clients in 1 process; 60,000 files per process, 50,000 ports, 1 core, 2.0 GB of memory available, commit unknown.",
		"Clients of agent b:1 connect from 10.0.0.0/24 in turn.",
		"In 1 room, 1 writer each: a writer sends 20 messages of 128 bytes, 2 a second.",
	}
	if !slices.Equal(p.Why, want) {
		t.Errorf("sentences:\n%s\nwant\n%s", strings.Join(p.Why, "\n"), strings.Join(want, "\n"))
	}
	cfg.Scenario, cfg.Clients = plan.Idle, 7
	if p, err = plan.NewAt(cfg, []plan.Site{{Addr: "a:1", Host: small}}); err != nil || len(p.Why) != 2 || p.Why[0] != "7 clients of ws://192.0.2.1:4000, at 1 agent." {
		t.Errorf("sentences %q, %v, want none of messages", p.Why, err)
	}
	cfg.Scenario, cfg.Rooms, cfg.Clients, cfg.Writers = plan.Rooms, 3, 2000, 2
	if p, err = plan.NewAt(cfg, []plan.Site{{Addr: "a:1", Host: small}}); err != nil || !strings.HasPrefix(p.Why[2], "In 3 rooms, 2 writers each: a writer sends 20 messages of 128 bytes") {
		t.Errorf("sentences %q, %v, want three rooms", p.Why, err)
	}
}

// A name with addresses of both families is one list for a machine that can connect from
// both, and one of each family for any other.
func TestResolveBothFamilies(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, url, from string
		want            string // families, each with its addresses; "" is an error
	}{
		{"IPv4", "ws://127.0.0.1:1", "", "[[127.0.0.1:1]]"},
		{"IPv4 from its family", "ws://127.0.0.1:1", "127.0.0.1", "[[127.0.0.1:1]]"},
		{"IPv4 from both", "ws://127.0.0.1:1", "127.0.0.1,::1", "[[127.0.0.1:1]]"},
		{"IPv4 as IPv6", "ws://[::ffff:127.0.0.1]:1", "", "[[127.0.0.1:1]]"},
		{"IPv6 from the other", "ws://[::1]:1", "127.0.0.1", ""},
		{"a port that is none", "ws://127.0.0.1:70000", "", ""},
	} {
		c := plan.Config{URL: test.url}
		if test.from != "" {
			c.From = sourcesOf(t, test.from)
		}
		families, err := c.Resolve(t.Context())
		var list []string
		for _, f := range families {
			var addrs []string
			for _, a := range f {
				addrs = append(addrs, a.String())
			}
			list = append(list, "["+strings.Join(addrs, " ")+"]")
		}
		if got := "[" + strings.Join(list, " ") + "]"; (err != nil) != (test.want == "") || err == nil && got != test.want {
			t.Errorf("%s: %s, %v, want %s", test.name, got, err, test.want)
		}
	}
}
