package cluster_test

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// A host is a busy one: the processes of its nodes run only for Runs in each Round, one
// after the other.
type host struct {
	Processes, Nodes int // Nodes in each
	Round, Runs      time.Duration
	Rounds           int
	Every            time.Duration // a message of each process
	Size             int           // bytes of it
	Beat             time.Duration
	Log              bool
}

// largeHost is the one of ROOST_TEST_BUSY: 120 nodes, each of which runs once in 5 to 8 s.
var largeHost = host{Processes: 6, Nodes: 20, Round: 7 * time.Second, Runs: 600 * time.Millisecond, Rounds: 6, Every: 100 * time.Millisecond, Size: 1000, Log: true}

// On a busy host, where processes of nodes stand still for far longer than they run, no
// link and no message is lost. ROOST_TEST_BUSY=120 runs that many nodes, for minutes, with
// one NATS server and with three.
func TestBusyHost(t *testing.T) {
	h := host{Processes: 3, Nodes: 4, Round: 900 * time.Millisecond, Runs: 150 * time.Millisecond, Rounds: 3, Every: 10 * time.Millisecond, Size: 1000, Beat: 500 * time.Millisecond}
	text, large := os.LookupEnv("ROOST_TEST_BUSY")
	if large {
		n, err := strconv.Atoi(text)
		if err != nil {
			t.Fatal(err)
		}
		h = largeHost
		h.Nodes = n / h.Processes
	}
	t.Run("one server", func(t *testing.T) {
		if !large {
			t.Parallel()
		}
		h.run(t, serve(t, natsserver.Config{}).URL())
	})
	t.Run("three servers", func(t *testing.T) {
		if !large {
			t.Parallel()
		}
		var urls []string
		for _, p := range startNATS(t, 3) {
			urls = append(urls, p.url())
		}
		h.run(t, strings.Join(urls, ","))
	})
}

// run has all nodes talk on the busy host, and checks what they have heard.
func (h host) run(t *testing.T, url string) {
	var all []*busyProcess
	for i := range h.Processes {
		all = append(all, startBusy(t, busyOrder{
			URL: url, First: i * h.Nodes, Nodes: h.Nodes, All: h.Processes * h.Nodes,
			Every: h.Every, Size: h.Size, Beat: h.Beat, LogLinks: h.Log, MaxPatient: time.Minute,
		}))
	}
	for _, p := range all {
		p.line(t)
	}
	for _, p := range all {
		p.tell(t, "talk")
		p.line(t)
	}
	for range h.Rounds {
		h.round(t, all)
	}
	said := make(map[string]int)
	for _, p := range all {
		p.tell(t, "enough")
		n, err := strconv.Atoi(p.line(t))
		if err != nil {
			t.Fatal(err)
		}
		said[fmt.Sprintf("n%03d", p.order.First)] = n
	}
	want, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		p.tell(t, string(want))
	}
	for i, p := range all {
		var r busyReport
		if err := json.Unmarshal([]byte(p.line(t)), &r); err != nil {
			t.Fatal(err)
		}
		t.Logf("process %d: %+v", i, r)
		if r.Lost+r.Twice+r.OutOfOrder+r.Missed+r.Dropped > 0 || r.Said == 0 || r.Heard == 0 {
			t.Errorf("process %d: %+v, want nothing lost, twice or out of order", i, r)
		}
		if r.Reconnects > 0 {
			t.Errorf("process %d: %d links were lost, want none", i, r.Reconnects)
		}
	}
}

// round has each process run once, for a while, and then stand still.
func (h host) round(t *testing.T, all []*busyProcess) {
	for _, p := range all {
		p.signal(t, syscall.SIGSTOP)
	}
	rest := max(h.Round/time.Duration(len(all))-h.Runs, 0)
	for _, p := range all {
		p.signal(t, syscall.SIGCONT)
		<-time.After(h.Runs)
		p.signal(t, syscall.SIGSTOP)
		<-time.After(rest)
	}
	for _, p := range all {
		p.signal(t, syscall.SIGCONT)
	}
}

// A node that stands still hears nobody, which does not mean that the others are silent.
func TestStandstillIsNoSilence(t *testing.T) {
	const s = time.Second
	for _, tt := range []struct {
		at   []time.Duration
		want int
	}{
		{[]time.Duration{1 * s, 2 * s, 3 * s}, 0},
		{[]time.Duration{1 * s, 2 * s, 3 * s, 4 * s}, 1},
		{[]time.Duration{1 * s, 2 * s, 12 * s, 13 * s}, 1}, // one beat after the standstill
		{[]time.Duration{1 * s, 2 * s, 12 * s}, 0},
		{[]time.Duration{1 * s, 8 * s, 15 * s}, 0},
	} {
		if got := cluster.Gone(s, tt.at...); got != tt.want {
			t.Errorf("looked at after %v: %d gone, want %d", tt.at, got, tt.want)
		}
	}
}
