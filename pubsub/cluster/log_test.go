package cluster_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
)

// A stalled handler takes no line until it is released.
type stalled struct {
	slog.Handler
	released chan struct{}
}

func (s stalled) Handle(context.Context, slog.Record) error { <-s.released; return nil }
func (s stalled) Enabled(context.Context, slog.Level) bool  { return true }
func (s stalled) WithAttrs([]slog.Attr) slog.Handler        { return s }

// A log handler that blocks delays neither what comes from other nodes, whose
// coming it is told of first, nor the end of the link for more than a second.
func TestStalledLog(t *testing.T) {
	log := stalled{released: make(chan struct{})}
	defer close(log.released)
	server := serve(t, natsserver.Config{})
	deaf := newNode(cluster.Config{URL: server.URL(), Node: "deaf", Beat: 50 * time.Millisecond, Logger: slog.New(log)})
	if err := deaf.Start(deaf.deliver, deaf.gap); err != nil {
		t.Fatal(err)
	}
	other := open(t, cluster.Config{URL: server.URL(), Node: "other"})
	meet(t, deaf, other)
	send(t, other, "a", "b")
	want(t, deaf, "a", "b")
	ended := make(chan struct{})
	go func() { defer close(ended); deaf.Close() }()
	select {
	case <-ended:
	case <-time.After(30 * time.Second):
		t.Error("Close has not returned after 15 s")
	}
}
