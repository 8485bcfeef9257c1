package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"syscall"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/pubsub/cluster"
	"github.com/roost-rt/roost/pubsub/cluster/natsserver"
	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// startNodes starts n nodes, the first one at addr, which are a cluster if there are
// several. end ends them; it is there also if there is an error.
func startNodes(ctx context.Context, addr string, n int, log *slog.Logger) (nodes []*phx.Endpoint, end func() error, err error) {
	adapter, endCluster := func() pubsub.Adapter { return nil }, func() {}
	if n > 1 {
		nats, err := natsserver.Start(natsserver.Config{Addr: "127.0.0.1:0", Logger: log})
		if err != nil {
			return nil, func() error { return nil }, err
		}
		adapter = func() pubsub.Adapter {
			return cluster.New(cluster.Config{URL: nats.URL(), Node: rand.Text(), Logger: log})
		}
		endCluster = nats.Close
	}
	var present []*presence.Presence
	end = func() error {
		defer endCluster()
		for _, here := range present {
			here.Close()
		}
		return shutDown(nodes)
	}
	secret := rand.Text()
	for range n {
		here := presence.New(presence.Config{AnyKey: true, MaxMessage: 8 << 10, Logger: log}) // keys as Phoenix has them; and states in parts
		mounts := append(general(here), integration(ctx)...)
		ep, err := phx.Start(phx.Config{Addr: addr, Mounts: mounts, HTTP: control(), Adapter: adapter(), Secret: secret, Logger: log})
		if errors.Is(err, syscall.EADDRINUSE) {
			return nodes, end, fmt.Errorf("-addr: %w\nAnother program listens on %s. End it, or choose another port: -addr 127.0.0.1:0 picks a free one", err, addr)
		}
		if err != nil {
			return nodes, end, fmt.Errorf("-addr is %q: %w", addr, err)
		}
		nodes, present = append(nodes, ep), append(present, here)
		if err := here.Attach(ep); err != nil {
			return nodes, end, err
		}
		host, _, _ := net.SplitHostPort(addr) // run has seen the error
		addr = net.JoinHostPort(host, "0")
	}
	return nodes, end, meet(ctx, nodes)
}

// meet waits until all nodes know each other.
func meet(ctx context.Context, nodes []*phx.Endpoint) error {
	for _, ep := range nodes {
		for len(nodes) > 1 && len(ep.Cluster().Peers) < len(nodes)-1 {
			select {
			case <-ctx.Done():
				return ctx.Err()
			case <-time.After(5 * time.Millisecond):
			}
		}
	}
	return nil
}

// shutDown ends nodes one after the other, the last one first.
func shutDown(nodes []*phx.Endpoint) error {
	ctx, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	var errs []error
	for i := range nodes {
		if err := nodes[len(nodes)-1-i].Shutdown(ctx); err != nil {
			errs = append(errs, fmt.Errorf("shut down: %w", err))
		}
	}
	return errors.Join(errs...)
}
