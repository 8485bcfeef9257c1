package pubsubtest

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
)

// strange is a topic with all that an engine may take for its own.
const strange = "räume:\x00 * > .\r\n"

// patience is how long a test waits before it fails. No test passes by waiting.
const patience = 30 * time.Second

// A cluster is the nodes of one test.
type cluster struct {
	Cluster
	nodes []*node
}

// A node is an adapter and what it has delivered.
type node struct {
	pubsub.Adapter
	refuse func(*pubsub.Message) error // asked first, if there; set before anything is published
	closed sync.Once

	mu   sync.Mutex
	got  []*pubsub.Message
	gaps []pubsub.Gap
	at   []int // how many messages were delivered before each gap
}

// add makes a node that is not started.
func (c *cluster) add(name string) *node {
	n := &node{Adapter: c.Node(name)}
	c.nodes = append(c.nodes, n)
	return n
}

// start starts nodes that know each other.
func (c *cluster) start(t *testing.T, names ...string) (all []*node) {
	t.Helper()
	for _, name := range names {
		n := c.add(name)
		n.start(t)
		all = append(all, n)
	}
	for _, n := range all {
		n.knows(t, names...)
	}
	return all
}

// listen begins to bring topics here, if the adapter wants to be told.
func (n *node) listen(topics ...string) {
	if s, ok := n.Adapter.(pubsub.Selective); ok {
		for _, topic := range topics {
			s.Listen(topic)
		}
	}
}

// close closes the nodes that the test has not closed.
func (c *cluster) close() {
	for _, n := range c.nodes {
		n.Close()
	}
}

// Close closes the node once.
func (n *node) Close() { n.closed.Do(n.Adapter.Close) }

func (n *node) start(t *testing.T) {
	t.Helper()
	n.listen("room:1", "room:2", "", strange)
	if err := n.Start(n.deliver, n.gap); err != nil {
		t.Fatalf("Start = %v", err)
	}
}

func (n *node) deliver(m *pubsub.Message) error {
	if n.refuse != nil {
		if err := n.refuse(m); err != nil {
			return err
		}
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.got = append(n.got, m)
	return nil
}

func (n *node) gap(g pubsub.Gap) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.gaps, n.at = append(n.gaps, g), append(n.at, len(n.got))
}

// messages are those that were delivered, in order.
func (n *node) messages() []*pubsub.Message {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.got)
}

// events returns the events of messages.
func (n *node) events() (all []string) {
	for _, m := range n.messages() {
		all = append(all, m.Event)
	}
	return all
}

// knows waits until the node's peers are the names that are not its own.
func (n *node) knows(t *testing.T, names ...string) {
	t.Helper()
	want := slices.DeleteFunc(slices.Sorted(slices.Values(names)), func(name string) bool { return name == n.Node() })
	eventually(t, fmt.Sprintf("%s is connected and knows %v", n.Node(), want), func() bool {
		s := n.Stats()
		return s.Connected && slices.Equal(s.Peers, want)
	})
}

// event is a message by the name of its event.
func event(name string) *pubsub.Message {
	return &pubsub.Message{Topic: "room:1", Event: name, Payload: []byte("{}")}
}

// publish offers m until it is taken.
func publish(t *testing.T, f func(*pubsub.Message) error, m *pubsub.Message) {
	t.Helper()
	eventually(t, "a message is taken", func() bool {
		err := f(m)
		if err != nil && !errors.Is(err, pubsub.ErrOverloaded) {
			t.Fatalf("%s = %v", m.Event, err)
		}
		return err == nil
	})
}

// broadcast publishes events of all nodes until they are taken.
func (n *node) broadcast(t *testing.T, events ...string) {
	t.Helper()
	for _, e := range events {
		publish(t, n.Broadcast, event(e))
	}
}

// send sends events to one node until they are taken.
func (n *node) send(t *testing.T, to string, events ...string) {
	t.Helper()
	for _, e := range events {
		publish(t, func(m *pubsub.Message) error { return n.Send(to, m) }, event(e))
	}
}

// wants waits until the node has got as many events, and holds them against these.
func (n *node) wants(t *testing.T, events ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s gets %d messages", n.Node(), len(events)), func() bool { return len(n.events()) >= len(events) })
	if got := n.events(); !slices.Equal(got, events) {
		t.Errorf("%s got %.20q, want %.20q", n.Node(), got, events)
	}
}

// counted waits until the node has the counts that are not zero in want, and no
// others: what it has not done it does not count.
func (n *node) counted(t *testing.T, want pubsub.AdapterStats) {
	t.Helper()
	var got pubsub.AdapterStats
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(time.Millisecond) {
		got = n.Stats()
		got.Connected, got.Peers, got.Reconnects, got.Repaired = false, nil, 0, 0
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
	}
	t.Errorf("%s: Stats = %+v, want %+v", n.Node(), got, want)
}

// eventually waits for a condition that nothing announces.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// numbers are names of events in order.
func numbers(prefix string, n int) (all []string) {
	for i := range n {
		all = append(all, fmt.Sprintf("%s%05d", prefix, i))
	}
	return all
}
