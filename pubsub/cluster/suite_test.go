package cluster_test

import (
	"testing"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/pubsub/pubsubtest"
)

// suiteCluster returns a cluster whose nodes use the given NATS servers in turn.
func suiteCluster(maxPayload int, urls ...string) pubsubtest.Cluster {
	next := 0
	return pubsubtest.Cluster{
		Node: func(name string) pubsub.Adapter {
			next++
			return cluster.New(cluster.Config{
				URL: urls[next%len(urls)], Node: name, MaxPending: 64 << 10, Beat: time.Second, Logger: quiet,
			})
		},
		TooLarge: maxPayload,
	}
}

func TestAdapter(t *testing.T) {
	pubsubtest.Run(t, func(t *testing.T) pubsubtest.Cluster {
		return suiteCluster(1<<20, serve(t, natsserver.Config{MaxPayload: 1 << 20}).URL())
	})
}

// The same holds with a node at each of three NATS servers.
func TestAdapterOverServersOfACluster(t *testing.T) {
	pubsubtest.Run(t, func(t *testing.T) pubsubtest.Cluster {
		var urls []string
		for _, p := range startNATS(t, 3) {
			urls = append(urls, p.url())
		}
		return suiteCluster(8<<20, urls...)
	})
}
