package cluster_test

import (
	"fmt"
	"log/slog"
	"os"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"go.uber.org/goleak"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

func TestMain(m *testing.M) {
	for variable, run := range map[string]func(string) error{natsAddrs: runNATS, deafNode: runDeaf} {
		if value := os.Getenv(variable); value != "" {
			if err := run(value); err != nil {
				fmt.Fprintln(os.Stderr, err)
				os.Exit(1)
			}
			return
		}
	}
	if order := os.Getenv(busyNodes); order != "" {
		if err := runNodes(order); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m, goleak.IgnoreCurrent())
}

var quiet = slog.New(slog.DiscardHandler)

// serve runs a NATS server until the test ends.
func serve(t testing.TB, cfg natsserver.Config) *natsserver.Server {
	t.Helper()
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	cfg.Logger = quiet
	s, err := natsserver.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// A node is a Link and the events it has delivered.
type node struct {
	*cluster.Link
	mu     sync.Mutex
	events []string
	gaps   []pubsub.Gap
}

func (n *node) deliver(m *pubsub.Message) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.events = append(n.events, m.Event)
	return nil
}

func (n *node) got() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.events)
}

func (n *node) gap(g pubsub.Gap) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gaps = append(n.gaps, g)
}

// told returns how many messages of a node it was told are lost.
func (n *node) told(name string) (messages uint64) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, g := range n.gaps {
		if g.Node == name {
			messages += g.Messages
		}
	}
	return messages
}

// noGap is for nodes whose losses another count shows.
func noGap(pubsub.Gap) {}

// open starts a node that is closed when the test ends. Beats are quick.
func open(t testing.TB, cfg cluster.Config) *node {
	t.Helper()
	if cfg.Beat == 0 {
		cfg.Beat = 50 * time.Millisecond
	}
	cfg.Logger = quiet
	n := newNode(cfg)
	if err := n.Start(n.deliver, n.gap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// newNode returns a node that is not started and listens to room:1.
func newNode(cfg cluster.Config) *node {
	n := &node{Link: cluster.New(cfg)}
	n.Listen("room:1")
	return n
}

// openAll starts nodes that know each other.
func openAll(t testing.TB, cfg cluster.Config, names ...string) []*node {
	t.Helper()
	var all []*node
	for _, name := range names {
		cfg.Node = name
		all = append(all, open(t, cfg))
	}
	meet(t, all...)
	return all
}

// meet waits until nodes know each other.
func meet(t testing.TB, all ...*node) {
	t.Helper()
	for _, n := range all {
		eventually(t, fmt.Sprintf("node %s knows %d others", n.Node(), len(all)-1), func() bool {
			s := n.Stats()
			return s.Connected && len(s.Peers) == len(all)-1
		})
	}
}

func send(t testing.TB, n *node, events ...string) {
	t.Helper()
	publish(t, n, 2, events...)
}

// publish broadcasts events with payloads of size bytes.
func publish(t testing.TB, n *node, size int, events ...string) {
	t.Helper()
	for _, e := range events {
		if err := n.Broadcast(&pubsub.Message{Topic: "room:1", Event: e, Payload: make([]byte, size)}); err != nil {
			t.Fatalf("Broadcast(%s) = %v", e, err)
		}
	}
}

// want waits until a node has got events, in that order, and no others.
func want(t testing.TB, n *node, events ...string) {
	t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for len(n.got()) < len(events) && time.Now().Before(deadline) {
		time.Sleep(time.Millisecond)
	}
	if got := n.got(); !slices.Equal(got, events) {
		t.Errorf("node %s got %v, want %v", n.Node(), brief(got), brief(events))
	}
}

func brief(all []string) []string { return all[:min(len(all), 20)] }

// eventually waits for a condition that nothing announces.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within 30 s: %s", what)
		}
	}
}

// outsider is a NATS client that is no node.
func outsider(t testing.TB, s *natsserver.Server) *nats.Conn {
	t.Helper()
	nc, err := nats.Connect(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return nc
}

// numbers are names of events in order.
func numbers(from, to int) (all []string) {
	for i := from; i < to; i++ {
		all = append(all, fmt.Sprintf("%06d", i))
	}
	return all
}
