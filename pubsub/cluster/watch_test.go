package cluster_test

import (
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

var _ pubsub.Watcher = (*cluster.Link)(nil)

// changes records what a node was told about others.
type changes struct {
	mu  sync.Mutex
	all []pubsub.NodeEvent
}

func (c *changes) told(e pubsub.NodeEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all = append(c.all, e)
}

func (c *changes) got() (all []pubsub.NodeChange) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, e := range c.all {
		all = append(all, e.Change)
	}
	return all
}

// wantLast waits until the node was told so last.
func (c *changes) wantLast(t *testing.T, want pubsub.NodeChange) {
	t.Helper()
	eventually(t, "it is told: "+string(want), func() bool {
		got := c.got()
		return len(got) > 0 && got[len(got)-1] == want
	})
}

// A node that cannot be reached for a while is down, and then here again.
func TestWatch(t *testing.T) {
	s := serve(t, natsserver.Config{})
	p := newProxy(t, strings.TrimPrefix(s.URL(), "nats://"))
	var told changes
	a := newNode(cluster.Config{URL: s.URL(), Node: "a", Beat: 100 * time.Millisecond, Logger: quiet})
	a.WatchWith(told.told)
	if err := a.Start(a.deliver, a.gap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	b := open(t, cluster.Config{URL: "nats://" + p.addr, Node: "b", Beat: 100 * time.Millisecond})
	told.wantLast(t, pubsub.NodeUp)
	p.cut(true)
	told.wantLast(t, pubsub.NodeDown)
	p.cut(false)
	told.wantLast(t, pubsub.NodeAgain)
	b.Close()
	told.wantLast(t, pubsub.NodeDown)
	for i, got := range told.got() { // on a busy host it may be away more often
		if want := [...]pubsub.NodeChange{pubsub.NodeAgain, pubsub.NodeDown}[i%2]; i > 0 && got != want {
			t.Errorf("told of %v, want up, and then down and again by turns", told.got())
		}
	}
}

// A known name under a new id is the node after a crash that nobody has noticed: it is
// down, and up.
func TestWatchStartsAgain(t *testing.T) {
	s := serve(t, natsserver.Config{})
	var told changes
	a := cluster.New(cluster.Config{URL: s.URL(), Node: "a", Beat: time.Hour, Logger: quiet})
	a.WatchWith(told.told)
	if err := a.Start(func(*pubsub.Message) error { return nil }, noGap); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	nc := outsider(t, s)
	other := strings.Replace(hello(1), "\x2a", "\x2b", 1) // its id
	for _, b := range []string{hello(1), other, hello(1), other} {
		if err := nc.Publish("roost.default.all", []byte(b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := nc.Publish("roost.default.all", []byte("the end")); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the end has come", func() bool { return a.Stats().Invalid == 1 })
	if got, want := told.got(), []pubsub.NodeChange{pubsub.NodeUp, pubsub.NodeDown, pubsub.NodeUp}; !slices.Equal(got, want) {
		t.Errorf("told of %v, want %v", got, want)
	}
}
