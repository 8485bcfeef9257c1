package cluster_test

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
)

const startTimeout = 30 * time.Second

// hang is how long a NATS server hangs in TestServersInTrouble. ROOST_TEST_HANG sets
// another time: 14s lost the most before broadcasts were sent again.
func hang(t *testing.T) time.Duration {
	t.Helper()
	text, ok := os.LookupEnv("ROOST_TEST_HANG")
	if !ok {
		return 1500 * time.Millisecond
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Three nodes with a NATS server each talk while one server after the other is in
// trouble. Each message that Broadcast has accepted arrives everywhere, once and in order.
func TestServersInTrouble(t *testing.T) {
	t.Parallel()
	hung := func(t *testing.T, p *process) {
		p.signal(t, syscall.SIGSTOP)
		defer p.signal(t, syscall.SIGCONT)
		<-time.After(hang(t))
	}
	for _, c := range []struct {
		name    string
		trouble func(t *testing.T, p *process)
		ping    time.Duration // 0 is that of the Link
	}{
		{"killed", func(t *testing.T, p *process) { p.end(syscall.SIGKILL); p.start(t) }, 0},
		{"restarted", func(t *testing.T, p *process) { p.end(0); p.start(t) }, 0},
		{"hung", hung, 0},
		{"hung and given up", hung, 200 * time.Millisecond},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			servers := startNATS(t, 3)
			talk := startTalk(t, servers, c.ping)
			for _, p := range servers {
				talk.goOn(t, 200)
				c.trouble(t, p)
			}
			talk.goOn(t, 200)
			talk.end(t)
		})
	}
}

// The same holds for 40 MB at once from one node, whose server dies meanwhile.
func TestBurstWhileServerDies(t *testing.T) {
	t.Parallel()
	servers := startNATS(t, 3)
	talk := startTalk(t, servers, 0)
	talk.goOn(t, 100)
	burst := make([]byte, 1<<20)
	for range 40 {
		talk.say(t, 0, burst)
	}
	servers[0].end(syscall.SIGKILL)
	servers[0].start(t)
	for range 40 {
		talk.say(t, 1, burst)
	}
	talk.end(t)
}

// A talk is a set of nodes that say one number after the other.
type talk struct {
	nodes   []*node
	running sync.WaitGroup
	enough  chan struct{}

	mu   sync.Mutex // held while a node says something
	said []int      // by each node, and taken
}

// startTalk starts a node for each server. All know each other's numbers when it
// returns.
func startTalk(t *testing.T, servers []*process, ping time.Duration) *talk {
	t.Helper()
	k := &talk{enough: make(chan struct{}), said: make([]int, len(servers))}
	options := []nats.Option{nats.DontRandomize()}
	if ping != 0 {
		options = append(options, nats.PingInterval(ping))
	}
	for i := range servers {
		var urls []string
		for n := range servers { // its own first
			urls = append(urls, servers[(i+n)%len(servers)].url())
		}
		k.nodes = append(k.nodes, open(t, cluster.Config{
			URL: strings.Join(urls, ","), Node: string(rune('a' + i)), Beat: 500 * time.Millisecond,
			Options: options,
		}))
	}
	meet(t, k.nodes...)
	for i := range k.nodes {
		k.running.Go(func() { k.chat(t, i) })
	}
	t.Cleanup(k.stop)
	k.goOn(t, 1)
	return k
}

// chat says a number each millisecond.
func (k *talk) chat(t *testing.T, i int) {
	ticks := time.NewTicker(time.Millisecond)
	defer ticks.Stop()
	for {
		select {
		case <-ticks.C:
			k.say(t, i, nil)
		case <-k.enough:
			return
		}
	}
}

// say makes a node say its next number, when there is room for it.
func (k *talk) say(t *testing.T, i int, payload []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	n := k.nodes[i]
	m := &pubsub.Message{Topic: "room:1", Event: fmt.Sprintf("%s %06d", n.Node(), k.said[i]), Payload: payload}
	switch err := n.Broadcast(m); {
	case err == nil:
		k.said[i]++
	case !errors.Is(err, pubsub.ErrOverloaded):
		t.Errorf("Broadcast = %v", err)
	}
}

// goOn waits until each node has got that many more numbers.
func (k *talk) goOn(t *testing.T, more uint64) {
	t.Helper()
	for _, n := range k.nodes {
		before := n.Stats().Received
		eventually(t, n.Node()+" hears more", func() bool { return n.Stats().Received >= before+more })
	}
}

func (k *talk) stop() {
	select {
	case <-k.enough:
	default:
		close(k.enough)
	}
	k.running.Wait()
}

// end ends the talk and checks that each node has heard all the others.
func (k *talk) end(t *testing.T) {
	t.Helper()
	k.stop()
	total := 0
	for _, said := range k.said {
		total += said
	}
	for i, n := range k.nodes {
		all := total - k.said[i]
		eventually(t, fmt.Sprintf("%s has heard all %d", n.Node(), all), func() bool { return int(n.Stats().Received) >= all })
		inOrder(t, n, all)
		s := n.Stats()
		t.Logf("%s heard %d, %d of them again; %d reconnects", n.Node(), s.Received, s.Repaired, s.Reconnects)
		if s.Missed != 0 || s.Dropped != 0 {
			t.Errorf("%s: Stats = %+v, want nothing lost", n.Node(), s)
		}
	}
}
