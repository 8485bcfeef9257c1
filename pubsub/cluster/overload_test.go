package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// pair starts two nodes with a subscriber of topic a each.
func pair(t *testing.T, link cluster.Config, cfg pubsub.Config) (nodes [2]*pubsub.PubSub, crowd [2]*listener) {
	t.Helper()
	pool := new(goroutines)
	for i := range nodes {
		link.Node, link.Beat, link.Logger = fmt.Sprint("n", i), 50*time.Millisecond, quiet
		cfg.Adapter, crowd[i] = cluster.New(link), new(listener)
		nodes[i] = pubsub.New(cfg, pool)
		if err := nodes[i].Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nodes[i].Close)
		nodes[i].Subscribe("a", crowd[i])
	}
	for _, n := range nodes {
		eventually(t, "the nodes know each other", func() bool { return len(n.AdapterStats().Peers) == 1 })
	}
	return nodes, crowd
}

// Each message of a burst is accepted, or refused before anybody has got it: if Publish
// returns nil, the message reaches everybody, here and there, however small the bounds
// are.
func TestBurst(t *testing.T) {
	for _, c := range []struct {
		name         string
		count, size  int
		link, pubsub int // MaxPending
	}{
		{"many small", 40_000, 1000, 0, 0},
		{"few large", 41, 1 << 20, 0, 0},
		{"small outbox", 20_000, 1000, 100_000, 0},
		{"slow receiver", 41, 1 << 20, 0, 3 << 20},
		{"larger than the outbox", 3, 1 << 20, 1000, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			if testing.Short() && c.count > 1000 {
				c.count /= 10
			}
			s := serve(t, natsserver.Config{})
			nodes, crowd := pair(t, cluster.Config{URL: s.URL(), MaxPending: c.link}, pubsub.Config{Shards: 3, MaxPending: c.pubsub})
			payload := make([]byte, c.size)
			for _, e := range numbers(0, c.count) {
				eventually(t, "the message is taken", func() bool {
					err := nodes[0].Publish(&pubsub.Message{Topic: "a", Event: e, Payload: payload})
					if err != nil && !errors.Is(err, pubsub.ErrOverloaded) {
						t.Fatalf("Publish = %v", err)
					}
					return err == nil
				})
			}
			for i, l := range crowd {
				eventually(t, fmt.Sprintf("node %d gets everything", i), func() bool { return l.count() >= c.count })
				if got := l.got(); !slices.Equal(got, numbers(0, c.count)) {
					t.Errorf("node %d got %d events, not the %d in order", i, len(got), c.count)
				}
			}
			if a, b := nodes[0].AdapterStats(), nodes[1].AdapterStats(); a.Dropped != 0 || b.Missed != 0 {
				t.Errorf("%d dropped and %d missed, want 0", a.Dropped, b.Missed)
			}
		})
	}
}
