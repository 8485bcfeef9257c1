package phx_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/pubsub/redis"
	"github.com/roost-rt/roost/server/phx"
)

// The regions between "doc:NAME" and "doc:end" stand in pubsub/CLUSTERING.md.

func TestClusterPage(t *testing.T) {
	nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nats.Close)
	t.Setenv("NATS_URL", nats.URL())
	t.Setenv("ROOST_SECRET", "the same on all nodes of a cluster")
	// doc:nats
	ep, err := phx.Start(phx.Config{
		Addr:    "127.0.0.1:0",
		Mounts:  mounts(),
		Secret:  os.Getenv("ROOST_SECRET"),
		Adapter: cluster.New(cluster.Config{URL: os.Getenv("NATS_URL")}),
		Telemetry: &phx.Telemetry{Gap: func(g pubsub.Gap) {
			slog.Warn("messages were lost", "gap", g) // and perhaps ep.LocalBroadcast(…, "reload", nil)
		}},
	})
	// doc:end
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "the node has its link", func() bool { return ep.Cluster().Connected })
	n, err := ep.SubscribersEverywhere(t.Context(), "room:lobby")
	if n != 0 || err != nil {
		t.Errorf("SubscribersEverywhere = %d, %v", n, err)
	}
	if err := ep.Shutdown(context.Background()); err != nil {
		t.Error(fmt.Errorf("Shutdown: %w", err))
	}
}

// What runs it is package redis's tests.
func _() pubsub.Adapter {
	// doc:redis
	adapter := cluster.New(cluster.Config{
		Carrier: redis.New(redis.Config{URL: os.Getenv("REDIS_URL")}),
	})
	// doc:end
	return adapter
}
