package pubsubtest_test

import (
	"testing"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/pubsubtest"
)

func TestNetwork(t *testing.T) {
	pubsubtest.Run(t, func(*testing.T) pubsubtest.Cluster {
		network := &pubsubtest.Network{MaxPending: 64 << 10, MaxMessage: 1 << 20}
		return pubsubtest.Cluster{
			Node:     func(name string) pubsub.Adapter { return network.Node(name) },
			TooLarge: 1<<20 + 1,
		}
	})
}

// Two nodes of one name would take each other's messages.
func TestNetworkNames(t *testing.T) {
	var network pubsubtest.Network
	deliver, gap := func(*pubsub.Message) error { return nil }, func(pubsub.Gap) {}
	one, two := network.Node("a"), network.Node("a")
	if err := one.Start(deliver, gap); err != nil {
		t.Fatal(err)
	}
	if err := two.Start(deliver, gap); err == nil {
		t.Error("two nodes of one name start")
	}
	one.Close()
	if err := two.Start(deliver, gap); err != nil {
		t.Errorf("Start when the other is closed = %v", err)
	}
	two.Close()
}
