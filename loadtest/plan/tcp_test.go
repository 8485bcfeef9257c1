package plan_test

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/script"
)

// Clients are left without sockets only where that can be done, and changes nothing
// that is asked.
func TestChooseTCP(t *testing.T) {
	t.Parallel()
	all, tun, none := kernel.Host{TUN: true, BPF: true}, kernel.Host{TUN: true}, kernel.Host{}
	many := plan.Config{Clients: 100_000}
	few, url, users, echo := many, many, many, many
	few.Clients--
	url.URL = "wss://192.0.2.1"
	users.Script = new(script.Source)
	echo.Scenario = plan.Echo
	refuse := func(c plan.Config, kinds ...order.TCP) plan.Config {
		c.Refused = make(map[order.TCP]error)
		for _, tcp := range kinds {
			c.Refused[tcp] = errors.New("load: not permitted")
		}
		return c
	}
	as := func(tcp order.TCP, c plan.Config) plan.Config {
		c.ClientTCP = tcp
		return c
	}
	for _, test := range []struct {
		name   string
		config plan.Config
		host   kernel.Host
		want   order.TCP // "" is an error
		why    string    // a part
	}{
		{"many", many, all, order.BPF, "100,000 or more"},
		{"many, no program can be loaded", many, tun, order.TUN, "a program in the kernel needs root of the host"},
		{"many, no device", many, none, order.KernelTCP, "need root and"},
		{"few", few, all, order.KernelTCP, "fewer than 100,000"},
		{"a server elsewhere", url, all, order.KernelTCP, "only reach servers that are started here"},
		{"users", users, all, order.KernelTCP, "users of a scenario file"},
		{"echo", echo, all, order.KernelTCP, "an echo's latency"},
		{"auto by name", as(plan.AutoTCP, many), all, order.BPF, ""},
		{"asked for", as(order.TUN, few), all, order.TUN, "asked for"},
		{"asked for in an echo", as(order.BPF, echo), all, order.BPF, "asked for"},
		{"the kernel asked for", as(order.KernelTCP, many), all, order.KernelTCP, "asked for"},
		{"many, the program is refused", refuse(many, order.BPF), all, order.TUN, "and a program in the kernel is not available: load: not permitted"},
		{"many, all is refused", refuse(many, order.BPF, order.TUN), all, order.KernelTCP, "no other TCP is available: load: not permitted"},
		{"asked for and refused", refuse(as(order.BPF, few), order.BPF), all, "", "client-tcp: bpf: load: not permitted"},
		{"a program that cannot be loaded", as(order.BPF, few), tun, "", "client-tcp: bpf needs root"},
		{"a device that cannot be had", as(order.TUN, few), none, "", "client-tcp: tun needs root"},
	} {
		got, why, err := test.config.ChooseTCP(test.host)
		if err != nil {
			why = err.Error()
		}
		if got != test.want || (err != nil) != (test.want == "") || !strings.Contains(why, test.why) {
			t.Errorf("%s: ChooseTCP = %q because %q, want %q because %q", test.name, got, why, test.want, test.why)
		}
	}
	few.Timestamps, few.ServerCommand = true, []string{"x"}
	if _, err := plan.New(few, all); err == nil || !strings.Contains(err.Error(), "client-timestamps: the clients have kernel sockets") {
		t.Errorf("New = %v, want that sockets have timestamps of their own", err)
	}
	plain := plan.Config{URL: "ws://192.0.2.1", From: order.Sources{netip.MustParsePrefix("10.99.0.0/16")}}
	if err := as(order.TUN, plain).Check(); err != nil {
		t.Errorf("Check = %v of a server elsewhere, and clients with a prefix", err)
	}
	secure, noPrefix := plain, plain
	secure.URL = "wss://192.0.2.1"
	noPrefix.From = order.Sources{netip.MustParsePrefix("10.99.0.1/32")}
	for _, c := range []plan.Config{as(order.TUN, url), as(order.BPF, users), as(order.BPF, plain), as(order.TUN, secure), as(order.TUN, noPrefix)} {
		c.ServerCommand = []string{"x"}
		if err := c.Check(); err == nil || !strings.Contains(err.Error(), "client-tcp: "+string(c.ClientTCP)+" is not possible") {
			t.Errorf("Check = %v, want that clients need sockets", err)
		}
	}
}

// Clients without sockets are one process, or one for each processor where it reads
// all packets, connect from no address of the host's, and
// are asked of it once.
func TestPlanWithoutSockets(t *testing.T) {
	t.Parallel()
	host := small
	host.TUN, host.BPF, host.FileMax = true, true, kernel.Unlimited
	p, err := plan.New(local(1_000_000), host)
	if err != nil {
		t.Fatal(err)
	}
	if p.ClientTCP != order.BPF || len(p.Processes) != 1 || p.PerSource != 0 || len(p.Servers) != 51 || !p.Demand.OneEnd {
		t.Errorf("TCP %s, %d client processes, %d connections of a source, %d servers, demand %+v, want bpf, 1, 0, 51, one end",
			p.ClientTCP, len(p.Processes), p.PerSource, len(p.Servers), p.Demand)
	}
	why := strings.Join(p.Why, "\n")
	for _, want := range []string{"1 process of clients.", "(-client-tcp bpf): they are 100,000 or more. They take no files"} {
		if !strings.Contains(why, want) {
			t.Errorf("the plan lacks %q:\n%s", want, why)
		}
	}
	host.BPF, host.Cores = false, 4
	if p, err = plan.New(local(1_000_000), host); err != nil || p.ClientTCP != order.TUN || len(p.Processes) != 4 {
		t.Errorf("without a program, TCP %s in %d processes, error %v, want tun in 4: one reads a device", p.ClientTCP, len(p.Processes), err)
	}
	host.Cores = 2
	if p, err = plan.New(local(2_000_000), host); err != nil || len(p.Processes) != 4 {
		t.Errorf("without a program, %d processes for 2,000,000 on two processors, error %v, want 4: 500,000 packets wait in a device", len(p.Processes), err)
	}
	host.BPF = true
	most := 0
	for n := 1_000_000; n <= 5_000_000; n += 100_000 {
		if p, err := plan.New(local(n), host); err == nil {
			most = p.Clients
		}
	}
	if most < 4_000_000 {
		t.Errorf("24 GiB are said to hold %d clients, want 4,000,000: these were measured", most)
	}
}
