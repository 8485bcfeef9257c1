package plan_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

func TestNewAt(t *testing.T) {
	t.Parallel()
	large := small
	large.FilesHard, large.Cores = 60_000, 8
	sites := []plan.Site{{Addr: "a:1", Host: small}, {Addr: "b:1", Host: large}}
	cfg := plan.Config{URL: "ws://192.0.2.1:4000", Clients: 50_001}
	p, err := plan.NewAt(cfg, sites)
	if err != nil {
		t.Fatalf("NewAt() = %v", err)
	}
	at, next := make(map[string]int), make(map[string]int)
	for i, extents := range p.Processes {
		a := sites[p.Sites[i]].Addr
		if len(extents) != 1 {
			t.Fatalf("process %d has %d extents, want 1", i, len(extents))
		}
		if next[a] != 0 && next[a] != extents[0].First {
			t.Errorf("process %d begins with client %d, want %d", i, extents[0].First, next[a])
		}
		at[a], next[a] = at[a]+extents[0].Count, extents[0].First+extents[0].Count
	}
	if at["a:1"] != 25_001 || at["b:1"] != 25_000 || next["a:1"] != 25_001 || next["b:1"] != 50_001 {
		t.Errorf("clients by agent %v up to %v, want 25,001 and then 25,000", at, next)
	}
	if p.Clients != 50_001 || p.Rooms[0] != 50_001 || p.Servers[0] != 50_001 || p.Ramping != len(p.Processes) {
		t.Errorf("plan %+v, want one room of 50,001 whose processes all ramp at a time", p)
	}

	cfg.Clients = 1
	if p, err = plan.NewAt(cfg, sites); err != nil || p.Clients != 1 || len(p.Processes) != 1 || p.Sites[0] != 0 {
		t.Errorf("NewAt(1) = %d clients in %d processes, %v, want 1 at agent a:1", p.Clients, len(p.Processes), err)
	}
	if want := "Agent b:1: no clients: there are only 1."; !slices.Contains(p.Why, want) {
		t.Errorf("sentences:\n%s\nwant %q", strings.Join(p.Why, "\n"), want)
	}

	cfg.Clients = 60_000 // the first has 28,232 ports
	if _, err := plan.NewAt(cfg, sites); !errors.Is(err, plan.ErrTooMany) || !strings.HasPrefix(err.Error(), "agent a:1: ") {
		t.Errorf("NewAt(60,000) = %v, want %v of agent a:1", err, plan.ErrTooMany)
	}
	if _, err := plan.NewAt(plan.Config{ServerCommand: []string{"server"}}, sites); err == nil {
		t.Error("NewAt without a URL = nil, want an error")
	}
}

// Clients of agents have the TCP that the agents say, all the same one, and those
// without sockets a prefix each.
func TestNewAtWithoutSockets(t *testing.T) {
	t.Parallel()
	host := small
	host.TUN = true
	at := func(addr, from string) plan.Site {
		return plan.Site{Addr: addr, Host: host, TCP: order.TUN, From: order.Sources{netip.MustParsePrefix(from)}}
	}
	cfg := plan.Config{URL: "ws://192.0.2.1:4000", Clients: 200_000}
	p, err := plan.NewAt(cfg, []plan.Site{at("a:1", "10.99.0.0/16"), at("b:1", "10.98.0.0/16")})
	if err != nil {
		t.Fatal(err)
	}
	if p.ClientTCP != order.TUN || len(p.Processes) != 2 || p.Clients != 200_000 {
		t.Errorf("TCP %s, %d clients in %d processes, want tun, all and one for each agent", p.ClientTCP, p.Clients, len(p.Processes))
	}
	if want := "(-client-tcp tun): the agents say so."; !strings.Contains(strings.Join(p.Why, "\n"), want) {
		t.Errorf("sentences:\n%s\nwant %q", strings.Join(p.Why, "\n"), want)
	}
	for want, sites := range map[string][]plan.Site{
		"agent c:1: its clients have TCP of kernel, those of agent a:1 of tun": {at("a:1", "10.99.0.0/16"), {Addr: "c:1", Host: host}},
		"agent d:1: client-tcp: tun is not possible: from \"10.9.":             {at("d:1", "10.9.0.1/32")},
	} {
		if _, err := plan.NewAt(cfg, sites); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("NewAt = %v, want %q", err, want)
		}
	}
}
