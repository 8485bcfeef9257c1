package plan_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/plan"
)

// machine is a host of so many processors, open files of a process, and memory.
func machine(cores int, files, memory kernel.Count) kernel.Host {
	h := small
	h.Cores, h.FilesHard, h.Memory = cores, files, memory
	h.FileMax, h.NrOpen = kernel.Unlimited, kernel.Unlimited
	return h
}

// From one processor to 128, a plan uses what there is: processes that its files allow,
// no more threads than processors where there are many, and a pace that they can bear.
func TestPlansOfHosts(t *testing.T) {
	t.Parallel()
	const million = 1_000_000
	for _, test := range []struct {
		name                     string
		host                     kernel.Host
		clients                  int
		servers, processes       int
		ramping                  int
		serverProcs, clientProcs int
		rate                     float64
		messages                 int
		heartbeat, slack, report time.Duration
	}{
		// Each process has 1,024 files less 200: three for 2,000 clients, at both ends; six on one processor are a crowd.
		{"one processor, few files", machine(1, 1024, 1<<30), 2000, 3, 3, 2, 1, 1, 2, 20, 30 * time.Second, 100 * time.Millisecond, 2 * time.Second},
		{"one processor, many files", machine(1, million, 4<<30), 20_000, 1, 1, 1, 0, 2, 1.25, 20, 30 * time.Second, 5 * time.Millisecond, 250 * time.Millisecond},
		{"one processor, crowded", machine(1, million, 4<<30), 100_000, 1, 1, 1, 0, 2, 0.25, 15, time.Minute, 5 * time.Millisecond, 250 * time.Millisecond},
		{"a notebook", machine(8, million, 16<<30), 50_000, 1, 4, 4, 0, 2, 2, 20, 30 * time.Second, 5 * time.Millisecond, 250 * time.Millisecond},
		{"half of the processors for clients", machine(16, 4*million, 64<<30), million, 1, 8, 8, 0, 2, 0.4, 20, time.Minute, 5 * time.Millisecond, 250 * time.Millisecond},
		{"128 processors", machine(128, 4*million, 512<<30), 2 * million, 1, 64, 64, 0, 2, 1.6, 20, 30 * time.Second, 5 * time.Millisecond, 250 * time.Millisecond},
		{"64 processors, few files", machine(64, 1024, 64<<30), 100_000, 122, 122, 122, 1, 1, 2, 20, 30 * time.Second, 5 * time.Millisecond, 250 * time.Millisecond},
		{"the same, one process more than four on each", machine(61, 1024, 64<<30), 100_800, 123, 123, 122, 1, 1, 2, 20, 30 * time.Second, 100 * time.Millisecond, 2 * time.Second},
	} {
		p, err := plan.New(local(test.clients), test.host)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if len(p.Servers) != test.servers || len(p.Processes) != test.processes || p.Ramping != test.ramping || p.ServerProcs != test.serverProcs || p.ClientProcs != test.clientProcs {
			t.Errorf("%s: %d servers of %d processors, %d processes of %d, %d of which ramp at a time, want %d of %d, %d of %d, %d",
				test.name, len(p.Servers), p.ServerProcs, len(p.Processes), p.ClientProcs, p.Ramping, test.servers, test.serverProcs, test.processes, test.clientProcs, test.ramping)
		}
		if math.Abs(p.Rate-test.rate) > 1e-9 || p.Messages != test.messages || p.Heartbeat != test.heartbeat || p.Slack != test.slack || p.Report != test.report {
			t.Errorf("%s: %d messages at %v, a heartbeat every %v, slack %v, a report every %v, want %d at %v, %v, %v, %v",
				test.name, p.Messages, p.Rate, p.Heartbeat, p.Slack, p.Report, test.messages, test.rate, test.heartbeat, test.slack, test.report)
		}
		checkDivision(t, p)
	}
}

// An address has connections for less than half of its ports: from there on the kernel
// takes long to find a free one.
func TestConnectionsOfAnAddress(t *testing.T) {
	t.Parallel()
	for ports, want := range map[kernel.Count]int{28_232: 13_675, 64_512: 28_000, 57_803: 27_998, 57_808: 28_000, 640: 310, 2: 1, 1: 1, 0: 1, kernel.Unknown: 1} {
		h := small
		h.Ports = ports
		p, err := plan.New(local(1), h)
		if err != nil || p.PerSource != want {
			t.Errorf("%s ports: %d connections of an address, %v, want %d", ports, p.PerSource, err, want)
		}
	}
}

// A host that is too small says which limit it is, and a plan without a number of
// clients takes what there is.
func TestSmallHosts(t *testing.T) {
	t.Parallel()
	change := func(f func(*kernel.Host)) kernel.Host { h := small; f(&h); return h }
	for _, test := range []struct {
		name  string
		host  kernel.Host
		asked int
		first string // the limit in the way
		least int    // of the clients without a number
		most  int
	}{
		{"a container of 64 MB", change(func(h *kernel.Host) { h.Memory = 64 << 20 }), 10_000, "memory (host)", 5500, 6500},
		{"a cgroup of 64 MB", change(func(h *kernel.Host) {
			h.Groups = []kernel.Group{{Path: "/x", Limit: "memory.max", Max: 64 << 20}}
		}), 10_000, "memory.max (cgroup)", 5500, 6500},
		{"a cgroup that is half full", change(func(h *kernel.Host) {
			h.Groups = []kernel.Group{{Path: "/x", Limit: "memory.max", Max: 64 << 20, Used: 32 << 20}}
		}), 10_000, "memory.max (cgroup)", 1800, 2500},
		{"no root, and 10,000 files of the host", change(func(h *kernel.Host) { h.FileMax, h.FilesOpen = 10_000, 1000 }), 10_000, "fs.file-max (host)", 4400, 4500},
		{"few entries of epoll", change(func(h *kernel.Host) { h.EpollWatches = 3000 }), 10_000, "fs.epoll.max_user_watches (user)", 1400, 1500},
	} {
		_, err := plan.New(local(test.asked), test.host)
		if !errors.Is(err, plan.ErrTooMany) || !strings.Contains(err.Error(), ": "+test.first+" is enough for ") {
			t.Errorf("%s: %v, want too many because of %s", test.name, err, test.first)
		}
		p, err := plan.New(local(0), test.host)
		if err != nil || p.Clients < test.least || p.Clients > test.most {
			t.Errorf("%s: without a number %d clients, %v, want %d to %d", test.name, p.Clients, err, test.least, test.most)
		}
		forced := local(test.asked)
		forced.Force = true
		if p, err := plan.New(forced, test.host); err != nil || p.Clients != test.asked {
			t.Errorf("%s: forced %d clients, %v, want all", test.name, p.Clients, err)
		}
	}
	root := change(func(h *kernel.Host) { h.FileMax, h.FilesExempt = 10_000, true })
	if p, err := plan.New(local(10_000), root); err != nil || p.Clients != 10_000 {
		t.Errorf("root of the host: %d clients, %v, want all: fs.file-max does not bind it", p.Clients, err)
	}
}

// A kill has a server more than its clients need, so that the others have room for them.
func TestKillHasAServerToSpare(t *testing.T) {
	t.Parallel()
	for clients, want := range map[int]int{10: 2, 19_800: 2, 19_801: 3} {
		c := local(clients)
		c.Scenario = plan.Kill
		p, err := plan.New(c, small)
		if err != nil || len(p.Servers) != want {
			t.Errorf("%d clients: %d servers, %v, want %d", clients, len(p.Servers), err, want)
		}
	}
	c := local(10)
	c.Scenario, c.Servers = plan.Kill, 5
	if p, err := plan.New(c, small); err != nil || len(p.Servers) != 5 {
		t.Errorf("%d servers, %v, want the five that were asked for", len(p.Servers), err)
	}
}
