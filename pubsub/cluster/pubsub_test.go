package cluster_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// A listener is a subscriber that keeps the events it gets.
type listener struct {
	handle pubsub.Subscription
	mu     sync.Mutex
	events []string
}

func (l *listener) Subscription() *pubsub.Subscription { return &l.handle }

func (l *listener) Deliver(b *pubsub.Batch) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for m := range b.For(l) {
		l.events = append(l.events, m.Event)
	}
}

func (l *listener) got() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.events)
}

func (l *listener) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.events)
}

// goroutines is a pool without a bound.
type goroutines struct{ sync.WaitGroup }

func (g *goroutines) Go(t lane.Turn) { g.WaitGroup.Go(t.Turn) }

func (*goroutines) Hold(int64) {}

// A message goes all the way: PubSub, Link, NATS, Link, PubSub. On both nodes every
// subscriber except the sender gets all messages in order (spec §6.2).
func TestPubSubsOfTwoNodes(t *testing.T) {
	const subscribers, messages = 300, 500
	s := serve(t, natsserver.Config{MaxPayload: 5000})
	var (
		nodes [2]*pubsub.PubSub
		crowd [2][]*listener
		pool  goroutines
	)
	for i := range nodes {
		link := cluster.New(cluster.Config{URL: s.URL(), Node: fmt.Sprint("n", i), Beat: 50e6, Logger: quiet})
		nodes[i] = pubsub.New(pubsub.Config{Shards: 3, Adapter: link}, &pool)
		if err := nodes[i].Start(); err != nil {
			t.Fatal(err)
		}
		defer nodes[i].Close()
		for range subscribers {
			l := new(listener)
			crowd[i] = append(crowd[i], l)
			nodes[i].Subscribe("a", l)
		}
	}
	sender := crowd[0][0]
	events := numbers(0, messages)
	for _, e := range events {
		if err := nodes[0].Publish(&pubsub.Message{Topic: "a", Event: e, From: sender}); err != nil {
			t.Fatal(err)
		}
	}
	large := &pubsub.Message{Topic: "a", Event: "large", Payload: make([]byte, 5000)}
	if err := nodes[0].Publish(large); !errors.Is(err, pubsub.ErrTooLarge) {
		t.Errorf("Publish = %v, want ErrTooLarge", err)
	}
	for i := range nodes {
		for k, l := range crowd[i] {
			if l == sender {
				continue
			}
			eventually(t, "all have arrived", func() bool { return len(l.got()) >= messages })
			if got := l.got(); !slices.Equal(got, events) {
				t.Fatalf("subscriber %d of node %d got %v, want %v", k, i, brief(got), brief(events))
			}
		}
	}
	if got := sender.got(); len(got) != 0 {
		t.Errorf("the sender got %v", brief(got))
	}
	pool.Wait()
}
