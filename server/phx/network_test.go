package phx_test

import (
	"cmp"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/phx"
)

// A network connects nodes in memory, and loses what it is told to. Broadcasts do
// not cross it.
type network struct {
	mu    sync.Mutex // guards the rest
	nodes map[string]*networkEnd
	sent  int                            // messages to one node
	lose  func(to string, m []byte) bool // or nil
	fail  error                          // of messages to one node
}

// A networkEnd is the adapter of a node.
type networkEnd struct {
	net     *network
	name    string
	deliver func(*pubsub.Message) error
}

// set changes or looks at the network.
func (n *network) set(do func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	do()
}

func (e *networkEnd) Start(deliver func(*pubsub.Message) error, _ func(pubsub.Gap)) error {
	e.deliver = deliver
	e.net.set(func() { e.net.nodes[e.name] = e })
	return nil
}

func (e *networkEnd) Broadcast(*pubsub.Message) error { return nil }

func (e *networkEnd) Send(node string, m *pubsub.Message) error {
	n := e.net
	n.mu.Lock()
	defer n.mu.Unlock()
	to := n.nodes[node]
	switch n.sent++; {
	case to == nil, n.fail != nil:
		return cmp.Or(n.fail, pubsub.ErrUnknownNode)
	case n.lose != nil && n.lose(node, m.Payload):
		return nil
	}
	return to.deliver(&pubsub.Message{Topic: m.Topic, Event: m.Event, Payload: m.Payload, Binary: m.Binary})
}

func (e *networkEnd) Node() string { return e.name }

func (e *networkEnd) Stats() (s pubsub.AdapterStats) {
	e.net.set(func() {
		for name := range e.net.nodes {
			s.Peers = append(s.Peers, name)
		}
	})
	slices.Sort(s.Peers)
	return s
}

func (e *networkEnd) Close() { e.net.set(func() { delete(e.net.nodes, e.name) }) }

// networked are nodes on a network, with long polling and a room that echoes: "one",
// "two", "three". Each has its own LongPoll.NodeTimeout.
func networked(t *testing.T, window time.Duration, timeouts ...time.Duration) (n *network, nodes []*phx.Endpoint) {
	t.Helper()
	n = &network{nodes: make(map[string]*networkEnd)}
	for i, timeout := range timeouts {
		cfg := longPolling(window, phx.Route{Pattern: "room:*", Type: &phx.ChannelType{In: phx.Events{"echo": echo}}})
		cfg.Adapter, cfg.Secret = &networkEnd{net: n, name: []string{"one", "two", "three"}[i]}, "the same on all nodes"
		cfg.Mounts[0].LongPoll.NodeTimeout, cfg.HandshakeTimeout = timeout, time.Minute
		nodes = append(nodes, startConfig(t, cfg))
	}
	return n, nodes
}
