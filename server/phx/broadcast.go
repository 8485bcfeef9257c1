package phx

import (
	"context"

	"github.com/roost-rt/roost/pubsub"
)

// Broadcast sends an event to all who joined a topic. It does not wait for
// them. If it fails, no client has got the event. It fails with
// [pubsub.ErrOverloaded], an error of the adapter, or an error that
// [Channel.Push] has for such a payload.
func (ep *Endpoint) Broadcast(topic, event string, payload any) error {
	return ep.BroadcastContext(context.Background(), topic, event, payload)
}

// BroadcastContext is Broadcast with a context for [Telemetry.Broadcast], usually the
// context of the request that caused the event, so that a trace can follow it. The end
// of the context changes nothing, because Broadcast does not wait.
func (ep *Endpoint) BroadcastContext(ctx context.Context, topic, event string, payload any) error {
	_, err := ep.broadcast(ctx, ep.pubsub.Publish, nil, topic, event, payload)
	return err
}

// LocalBroadcast is Broadcast to the clients connected to this node.
func (ep *Endpoint) LocalBroadcast(topic, event string, payload any) error {
	_, err := ep.broadcast(context.Background(), ep.pubsub.PublishLocal, nil, topic, event, payload)
	return err
}

// BroadcastTo is Broadcast to the clients connected to one node of the cluster.
// It fails with [pubsub.ErrUnknownNode].
func (ep *Endpoint) BroadcastTo(node, topic, event string, payload any) error {
	_, err := ep.broadcast(context.Background(), func(m *pubsub.Message) error { return ep.pubsub.PublishTo(node, m) }, nil, topic, event, payload)
	return err
}

// Node returns the name of this node in its cluster, or "" if it is alone.
func (ep *Endpoint) Node() string { return ep.pubsub.Node() }

// Cluster returns the adapter's statistics about the other nodes.
func (ep *Endpoint) Cluster() pubsub.AdapterStats { return ep.pubsub.AdapterStats() }
