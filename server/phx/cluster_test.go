package phx_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/server/phx"
)

// startNodes starts endpoints that are one cluster over a real NATS server, and
// know each other.
func startNodes(t *testing.T, n int, mount phx.Mount) (nodes []*phx.Endpoint) {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: log})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	for i := range n {
		link := cluster.New(cluster.Config{URL: nats.URL(), Node: fmt.Sprint("node", i), Logger: log})
		nodes = append(nodes, startConfig(t, phx.Config{Adapter: link, Secret: "the same on all nodes", HandshakeTimeout: time.Minute, Mounts: []phx.Mount{mount}}))
	}
	for _, ep := range nodes {
		eventually(t, "all nodes know each other", func() bool { return len(ep.Cluster().Peers) == n-1 })
	}
	return nodes
}

// A broadcast reaches the clients of all nodes, once and in order, and one that
// is for a node only those.
func TestCluster(t *testing.T) {
	room := &phx.ChannelType{In: phx.Events{
		"say":    func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast("said", p) },
		"others": func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.BroadcastFrom("said", p) },
	}}
	nodes := startNodes(t, 3, phx.Mount{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: room}}})
	var clients []*client
	for _, ep := range nodes {
		c := dial(t, ep)
		c.join("a")
		clients = append(clients, c)
	}
	for i := range 100 {
		clients[0].say(fmt.Sprintf(`["1",null,"a","say",{"n":%d}]`, i))
	}
	for _, c := range clients {
		for i := range 100 {
			c.want(fmt.Sprintf(`[null,null,"a","said",{"n":%d}]`, i))
		}
	}
	clients[1].say(`["1",null,"a","others",{}]`)
	clients[0].want(`[null,null,"a","said",{}]`)
	clients[2].want(`[null,null,"a","said",{}]`)

	// What only one node gets comes before what all get later, if it comes at all.
	for _, err := range []error{
		nodes[0].LocalBroadcast("a", "here", nil),
		nodes[0].BroadcastTo("node2", "a", "there", nil),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	clients[0].want(`[null,null,"a","here",{}]`)
	clients[2].want(`[null,null,"a","there",{}]`)
	if err := nodes[0].Broadcast("a", "all", nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range clients {
		c.want(`[null,null,"a","all",{}]`)
	}
	if err := nodes[0].BroadcastTo("nobody", "a", "x", nil); !errors.Is(err, pubsub.ErrUnknownNode) {
		t.Errorf("BroadcastTo(nobody) = %v, want %v", err, pubsub.ErrUnknownNode)
	}
	if got := nodes[0].Cluster().Peers; !slices.Contains(got, "node1") || nodes[0].Node() != "node0" {
		t.Errorf("%s knows %v", nodes[0].Node(), got)
	}
}

// A user's sockets are closed on all nodes (spec §4.3, row 41).
func TestClusterDisconnect(t *testing.T) {
	nodes := startNodes(t, 2, phx.Mount{Path: "/socket", Connect: setID("users_socket:7")})
	a, b := dial(t, nodes[0]), dial(t, nodes[1])
	if err := nodes[0].Broadcast("users_socket:7", "disconnect", nil); err != nil {
		t.Fatal(err)
	}
	a.wantClosed(1001)
	b.wantClosed(1001)
}

// Subscribers counts one node, SubscribersEverywhere all.
func TestSubscribersEverywhere(t *testing.T) {
	nodes := startNodes(t, 3, phx.Mount{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}})
	for i, ep := range nodes {
		for range i {
			dial(t, ep).join("a")
		}
	}
	defer nodes[0].Subscribe("a", func(phx.Broadcast) {})()
	for i, here := range []int{1, 1, 2} {
		if n := nodes[i].Subscribers("a"); n != here {
			t.Errorf("%s: Subscribers = %d, want %d", nodes[i].Node(), n, here)
		}
		if n, err := nodes[i].SubscribersEverywhere(t.Context(), "a"); n != 4 || err != nil {
			t.Errorf("%s: SubscribersEverywhere = %d, %v, want 4", nodes[i].Node(), n, err)
		}
	}
	late, cancel := context.WithCancel(t.Context())
	cancel()
	var silent *pubsub.SilentError
	if n, err := nodes[2].SubscribersEverywhere(late, "a"); n < 2 || err != nil && !errors.As(err, &silent) {
		t.Errorf("SubscribersEverywhere without time = %d, %v, want 2 at least, and who is silent", n, err)
	}
	alone := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{}})
	dial(t, alone).join("a")
	if n, err := alone.SubscribersEverywhere(t.Context(), "a"); n != 1 || err != nil {
		t.Errorf("alone: SubscribersEverywhere = %d, %v, want 1", n, err)
	}
}

// A lossy adapter is alone in its cluster.
type lossy struct {
	pubsub.Adapter
	gap  func(pubsub.Gap)
	told func(pubsub.NodeEvent)
}

func (l *lossy) WatchWith(told func(pubsub.NodeEvent)) { l.told = told }

func (l *lossy) Start(_ func(*pubsub.Message) error, gap func(pubsub.Gap)) error {
	l.gap = gap
	return nil
}

func (l *lossy) Close() {}

// An application can tell its clients what was lost between nodes, and which of them
// there are.
func TestGap(t *testing.T) {
	adapter := new(lossy)
	var ep *phx.Endpoint
	ep = startConfig(t, phx.Config{
		Adapter: adapter,
		Mounts:  []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}},
		Telemetry: &phx.Telemetry{Gap: func(g pubsub.Gap) {
			if err := ep.LocalBroadcast("a", "reload", map[string]any{"node": g.Node, "missed": g.Messages}); err != nil {
				t.Error(err)
			}
		}, Node: func(e pubsub.NodeEvent) {
			if err := ep.LocalBroadcast("a", string(e.Change), map[string]any{"node": e.Node}); err != nil {
				t.Error(err)
			}
		}},
	})
	c := dial(t, ep)
	c.join("a")
	adapter.gap(pubsub.Gap{Node: "node2", Messages: 3})
	c.want(`[null,null,"a","reload",{"missed":3,"node":"node2"}]`)
	adapter.told(pubsub.NodeEvent{Node: "node2", Change: pubsub.NodeDown})
	c.want(`[null,null,"a","down",{"node":"node2"}]`)
}
