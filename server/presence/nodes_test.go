package presence_test

import (
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/phxtest"
	"github.com/roost-rt/roost/server/presence"
)

// A node is one of a cluster over a real NATS server.
type node struct {
	*phxtest.Endpoint
	*presence.Presence
	link pubsub.Adapter
}

func startNATS(t *testing.T) *natsserver.Server {
	t.Helper()
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	return nats
}

func startNode(t *testing.T, nats *natsserver.Server, name string, cfg presence.Config) node {
	t.Helper()
	return startNodeOver(t, cluster.Config{URL: nats.URL()}, name, cfg)
}

func startNodeOver(t *testing.T, to cluster.Config, name string, cfg presence.Config) node {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	cfg.Period = 20 * time.Millisecond
	p := presence.New(cfg)
	to.Node, to.Logger = name, cfg.Logger
	link := cluster.New(to)
	ep := phxtest.Start(t, phx.Config{Logger: cfg.Logger, Adapter: link, Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room(p)}}}}})
	t.Cleanup(p.Close)
	if err := p.Attach(ep.Endpoint); err != nil {
		t.Fatal(err)
	}
	return node{ep, p, link}
}

func eventually(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !condition(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never: %s", what)
		}
	}
}

// sees waits until a node knows these users, and no others.
func (n node) sees(t *testing.T, users ...string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%s sees %v", n.Node(), users), func() bool {
		all := n.List("room:a")
		for _, user := range users {
			if all[user] == nil {
				return false
			}
		}
		return len(all) == len(users)
	})
}

// All nodes, also those that start later, know who is on a topic, and tell their clients.
func TestNodes(t *testing.T) { ofFew(t, testNodes) }

func testNodes(t *testing.T, cfg presence.Config) {
	nats := startNATS(t)
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	bob := join(t, b.Endpoint, "bob")
	next(t, ann, "bob")
	b.sees(t, "ann", "bob")

	c := startNode(t, nats, "c", cfg)
	c.sees(t, "ann", "bob")
	cat := join(t, c.Endpoint, "cat")
	for _, ch := range []*phxtest.Channel{ann, bob} {
		next(t, ch, "cat")
	}
	bob.Push("away", map[string]string{"st": "away"}).ExpectReply("ok", nil)
	d := next(t, cat, "bob")
	if len(d.Joins["bob"].Metas) != 1 || len(d.Leaves["bob"].Metas) != 1 || d.Joins["bob"].Metas[0]["st"] != "away" {
		t.Errorf("an update on another node is %v", d)
	}
	bob.Leave()
	for _, ch := range []*phxtest.Channel{ann, cat} {
		if d := next(t, ch, "bob"); len(d.Leaves) != 1 {
			t.Errorf("a leave on another node is %v", d)
		}
	}
	for _, n := range []node{a, b, c} {
		n.sees(t, "ann", "cat")
	}
}

// A node that closes says goodbye; its clients' presences leave at once.
func TestNodeCloses(t *testing.T) { ofFew(t, testNodeCloses) }

func testNodeCloses(t *testing.T, cfg presence.Config) {
	nats := startNATS(t)
	cfg.DownAfter = time.Hour
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	join(t, b.Endpoint, "bob")
	next(t, ann, "bob")
	b.Close()
	if d := next(t, ann, "bob"); len(d.Leaves) != 1 {
		t.Errorf("what came is %v", d)
	}
	a.sees(t, "ann")
}

// The presences of a node that has fallen silent leave. When it starts again under the
// same name, its new presences are there.
func TestNodeDies(t *testing.T) {
	nats := startNATS(t)
	cfg := presence.Config{DownAfter: 3 * time.Second}
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	join(t, b.Endpoint, "bob")
	next(t, ann, "bob")
	b.link.Close()
	if d := next(t, ann, "bob"); len(d.Leaves) != 1 {
		t.Errorf("what came is %v", d)
	}
	again := startNode(t, nats, "b", cfg)
	cat := join(t, again.Endpoint, "cat")
	next(t, ann, "cat")
	cat.ExpectPush("presence_state", phxtest.Any)
	a.sees(t, "ann", "cat")
	again.sees(t, "ann", "cat")
}

// A node that restarts says at once that its earlier life is over: no zombies.
func TestNodeStartsAgain(t *testing.T) {
	nats := startNATS(t)
	cfg := presence.Config{DownAfter: time.Hour}
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	join(t, b.Endpoint, "bob")
	next(t, ann, "bob")
	b.link.Close()
	startNode(t, nats, "b", cfg)
	if d := next(t, ann, "bob"); len(d.Leaves) != 1 {
		t.Errorf("what came is %v", d)
	}
}

// While NATS is away for longer than DownAfter, no node sees the others' people. Once it
// is back, each sees everyone who is there by then.
func TestNATSGoesAndComes(t *testing.T) {
	t.Parallel()
	nats := startNATS(t)
	cfg := presence.Config{DownAfter: time.Second}
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	bob := join(t, b.Endpoint, "bob")
	next(t, ann, "bob")
	b.sees(t, "ann", "bob")
	addr := strings.TrimPrefix(nats.URL(), "nats://")
	nats.Close()
	a.sees(t, "ann")
	b.sees(t, "bob")
	bob.Leave()
	join(t, b.Endpoint, "bea")
	again, err := natsserver.Start(natsserver.Config{Addr: addr, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(again.Close)
	a.sees(t, "ann", "bea")
	b.sees(t, "ann", "bea")
}

// A node that starts late is sent more than fits in one message.
func TestManyOnAnotherNode(t *testing.T) {
	nats := startNATS(t)
	a := startNode(t, nats, "a", presence.Config{MaxPerChannel: 5000})
	const users = 3000
	phxtest.Connect(t, a.Endpoint, "/socket", nil).Join("room:many", user{"many"}) // tracks on room:many
	ch := join(t, a.Endpoint, "ann")
	for i := range users {
		ch.Push("more", user{fmt.Sprint("user ", i)})
	}
	ch.Push("more", user{"last"}).ExpectReply("ok", nil)
	b := startNode(t, nats, "b", presence.Config{})
	eventually(t, "b knows all", func() bool { return b.Count("room:a") == users+2 })
	if got := len(b.List("room:a")); got != users+2 {
		t.Errorf("b lists %d, want %d", got, users+2)
	}
}

// A topic that is only counted is counted over all nodes.
func TestCountOnNodes(t *testing.T) {
	nats := startNATS(t)
	cfg := presence.Config{CountOnly: func(string) bool { return true }}
	a, b := startNode(t, nats, "a", cfg), startNode(t, nats, "b", cfg)
	ann := join(t, a.Endpoint, "ann")
	bob := join(t, b.Endpoint, "bob")
	join(t, b.Endpoint, "bea")
	for _, n := range []node{a, b} {
		eventually(t, "3 are counted", func() bool { return n.Count("room:a") == 3 })
	}
	ann.ExpectBroadcast("presence_count", map[string]int{"count": 3})
	bob.Leave()
	for _, n := range []node{a, b} {
		eventually(t, "2 are counted", func() bool { return n.Count("room:a") == 2 })
	}
	b.Close()
	eventually(t, "1 is counted", func() bool { return a.Count("room:a") == 1 })
}
