package phx

import (
	"context"
	"runtime/debug"
	"time"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/internal/panics"
)

// Telemetry is a set of hooks for counting and measuring the events of an
// endpoint. Each hook that is not nil is called where its event happens: in
// order for each channel, and concurrently for different channels.
//
// A hook must not block and must not keep its arguments: some are called on the
// event loop, and every client waits for it. Parameters and payloads are
// unfiltered; apply [Filter] before showing them to anyone. A panic in a hook
// is contained; runtime.Goexit is, too, but a crash of the channel whose turn
// called the hook. An event without a hook costs nothing.
//
// Phoenix has the first four (spec §8.4), and reports no crashes.
type Telemetry struct {
	Connected    func(ConnectEvent)
	Joined       func(JoinEvent)
	HandledIn    func(MessageEvent)
	Drained      func(DrainEvent)
	Disconnected func(DisconnectEvent)
	Ended        func(EndEvent)
	Crashed      func(CrashEvent)
	Pushed       func(PushEvent)
	Broadcast    func(BroadcastEvent)

	// Gap is called for messages that were lost between the nodes of a cluster and will
	// not arrive any more. It may use LocalBroadcast to tell clients to reload what
	// they show.
	Gap func(pubsub.Gap)

	// Node is called when another node of the cluster comes or goes; Endpoint.Cluster
	// lists the names of the nodes present.
	Node func(pubsub.NodeEvent)
}

// A ConnectEvent reports a client that connected or was refused.
type ConnectEvent struct {
	Duration  time.Duration // from the complete request to the answer
	Mount     string        // Mount.Path
	Transport string        // "websocket" or "longpoll"
	Version   string        // the client's vsn, "" if it sent none
	Params    Params        // nil if it was refused before they were read
	Socket    *Socket       // nil if it was refused
	Err       error         // why it was refused
}

// A DisconnectEvent reports the end of a socket that was connected.
type DisconnectEvent struct {
	Socket   *Socket
	Reason   Reason        // what its channels were told
	Err      error         // of the connection, such as a *poller.SlowConsumerError; nil if the client closed it
	Lifetime time.Duration // since it had connected, in ms
}

// A JoinEvent reports a join that was answered.
type JoinEvent struct {
	Duration time.Duration // of the Join callback
	Channel  *Channel
	Payload  Payload
	Err      error // nil if it has joined, a *ReplyError if it was refused, else its crash
}

// A MessageEvent reports a client message that was handled.
type MessageEvent struct {
	Duration time.Duration // of the callback
	Channel  *Channel
	Event    string
	Ref      Ref // of the message, which may have been answered already
	Payload  Payload
	Err      error // what the callback returned, or its panic
}

// An EndEvent reports the end of a channel that had joined. Terminate runs
// after it.
type EndEvent struct {
	Channel *Channel
	Reason  Reason
}

// A CrashEvent reports a callback's error or panic. A crash in Join or
// Terminate affects nothing else; a crash in any other callback ends its
// channel.
type CrashEvent struct {
	Channel *Channel
	Err     error // a panic's includes its stack
}

// A PushEvent reports a message that [Channel.Push] has sent to one client.
type PushEvent struct {
	Channel *Channel
	Event   string
	Size    int   // of the payload in bytes
	Err     error // why it was not sent
}

// A BroadcastEvent reports a broadcast, once for all its receivers.
type BroadcastEvent struct {
	Context      context.Context // of BroadcastContext, else the background's
	Duration     time.Duration   // of the call: to encode it, serve or queue for subscribers here, and queue for other nodes
	Topic, Event string
	Size         int   // of the payload in bytes
	Subscribers  int   // on this node at that moment, the sender included
	Err          error // why it was not sent to anyone
}

// A DrainEvent reports a batch of sockets that were told to leave; see [Drain].
type DrainEvent struct {
	Mount         string
	Count         int           // sockets of this batch
	Total         int           // sockets of all batches
	Index, Rounds int           // which batch it is, counted from 1, and how many there are
	Interval      time.Duration // what a batch takes
}

// JoinTelemetry combines the hooks of several users into one Telemetry: each
// event calls all its hooks, in their order, even if one of them panics. An
// event without hooks costs nothing. Nil arguments are left out.
func JoinTelemetry(all ...*Telemetry) *Telemetry {
	return &Telemetry{
		Connected:    joinHooks(all, func(t *Telemetry) func(ConnectEvent) { return t.Connected }),
		Joined:       joinHooks(all, func(t *Telemetry) func(JoinEvent) { return t.Joined }),
		HandledIn:    joinHooks(all, func(t *Telemetry) func(MessageEvent) { return t.HandledIn }),
		Drained:      joinHooks(all, func(t *Telemetry) func(DrainEvent) { return t.Drained }),
		Disconnected: joinHooks(all, func(t *Telemetry) func(DisconnectEvent) { return t.Disconnected }),
		Ended:        joinHooks(all, func(t *Telemetry) func(EndEvent) { return t.Ended }),
		Crashed:      joinHooks(all, func(t *Telemetry) func(CrashEvent) { return t.Crashed }),
		Pushed:       joinHooks(all, func(t *Telemetry) func(PushEvent) { return t.Pushed }),
		Broadcast:    joinHooks(all, func(t *Telemetry) func(BroadcastEvent) { return t.Broadcast }),
		Gap:          joinHooks(all, func(t *Telemetry) func(pubsub.Gap) { return t.Gap }),
		Node:         joinHooks(all, func(t *Telemetry) func(pubsub.NodeEvent) { return t.Node }),
	}
}

// joinHooks returns a hook that calls the same hook of all, nil if there is none.
func joinHooks[E any](all []*Telemetry, hook func(*Telemetry) func(E)) func(E) {
	var hooks []func(E)
	for _, t := range all {
		if t != nil && hook(t) != nil {
			hooks = append(hooks, hook(t))
		}
	}
	if len(hooks) < 2 {
		return append(hooks, nil)[0]
	}
	return func(event E) { each(hooks, event) }
}

// each calls hooks. One that panics does so when the others have been called.
func each[E any](hooks []func(E), event E) {
	if len(hooks) > 0 {
		defer each(hooks[1:], event)
		hooks[0](event)
	}
}

// tell calls a hook, if there is one.
func tell[E any](lent *services, hook func(E), event E) {
	if hook == nil {
		return
	}
	defer func() {
		if r := recover(); r != nil {
			lent.log.Error("panic in a telemetry hook", "panic", r, "stack", string(debug.Stack()))
		}
	}()
	hook(event)
}

// tellApart is tell on a goroutine that others depend on, such as the event loop's:
// a hook that calls runtime.Goexit does not end it.
func tellApart[E any](lent *services, hook func(E), event E) {
	if hook == nil {
		return
	}
	err := panics.Contain(func() { tell(lent, hook, event) })
	if err != nil {
		lent.log.Error("a telemetry hook has called runtime.Goexit")
	}
}
