package phx

import (
	"context"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A SocketInfo describes a socket to an operator.
type SocketInfo struct {
	ID        string        `json:"id"` // see Socket.SetID
	Mount     string        `json:"mount"`
	Transport string        `json:"transport"` // "websocket" or "longpoll"
	Version   string        `json:"vsn"`       // of the serializer; "" of a raw socket
	Remote    string        `json:"remote"`    // the client's host:port, as far as this server knows
	Connected time.Time     `json:"connected"`
	Channels  []ChannelInfo `json:"channels"`
}

// A ChannelInfo describes a channel to an operator.
type ChannelInfo struct {
	Topic  string `json:"topic"`
	Status string `json:"status"` // "joining", "joined" or "leaving"
}

// Sockets iterates over the connected sockets, in no order. It finds them at
// the beginning, by visiting every connection as Stats does, but examines them
// one by one, so a caller may stop early. Like Stats it must not be called by
// telemetry hooks.
func (ep *Endpoint) Sockets() iter.Seq[SocketInfo] {
	return func(yield func(SocketInfo) bool) {
		for _, s := range ep.sockets() {
			if info, connected := s.info(); connected && !yield(info) {
				return
			}
		}
	}
}

// sockets are all sockets that are connected.
func (ep *Endpoint) sockets() []*Socket {
	var mu sync.Mutex
	var all []*Socket
	ep.eachSocket(func(s *Socket) {
		mu.Lock()
		defer mu.Unlock()
		all = append(all, s)
	})
	return all
}

// eachSocket calls do for every socket, whatever its transport; for some at the
// same time, and on their loops.
func (ep *Endpoint) eachSocket(do func(*Socket)) {
	ep.looking.Lock()
	defer ep.looking.Unlock()
	ep.poller.Each(func(c *poller.Conn) {
		if s := socketOf(c); s != nil {
			do(s)
		}
	})
	ep.eachPolled(do)
}

// socketOf is the socket that has a connection, if one does. Loop only.
func socketOf(c *poller.Conn) *Socket {
	switch h := c.Handler().(type) {
	case *socketEvents:
		return (*Socket)(h)
	case *rawEvents:
		return h.Socket
	}
	return nil
}

// info describes a socket, if it is still connected.
func (s *Socket) info() (info SocketInfo, connected bool) {
	info = SocketInfo{
		ID: s.ID(), Mount: s.mount.Path, Transport: s.Transport(), Remote: s.RemoteAddr(),
		Connected: time.Now().Add(-s.lifetime()), Channels: []ChannelInfo{},
	}
	if s.codec.Serializer != nil {
		info.Version = s.codec.Version()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for ch := s.channels.first; ch != nil; ch = ch.next {
		info.Channels = append(info.Channels, ch.info())
	}
	return info, s.ending == notEnding
}

// info describes a channel. The socket is locked.
func (ch *Channel) info() ChannelInfo {
	ch.mu.Lock()
	defer ch.mu.Unlock()
	return ChannelInfo{Topic: ch.topic, Status: ch.phase.String()}
}

// Stats are an endpoint's counts at one moment.
type Stats struct {
	Callbacks CallbackStats `json:"callbacks"`

	Connections   int `json:"connections"`    // open TCP connections, including those in the handshake
	Sockets       int `json:"sockets"`        // connected clients, whatever their transport
	LongPolls     int `json:"long_polls"`     // the part of Sockets that uses long polling
	Channels      int `json:"channels"`       // joined or joining
	SlowConsumers int `json:"slow_consumers"` // sockets closed so far because they did not read

	Refused Refusals `json:"refused"`
}

// Stats counts by visiting every connection: call it once a second at most, not
// continuously.
func (ep *Endpoint) Stats() Stats {
	st := Stats{Callbacks: ep.callbackStats(), Connections: ep.poller.Conns(), SlowConsumers: ep.poller.SlowConsumers() + ep.slowPolled(), Refused: ep.admission.refusals()}
	var sockets, polls, channels atomic.Int64
	ep.eachSocket(func(s *Socket) {
		s.mu.Lock()
		channels.Add(int64(s.channels.len()))
		s.mu.Unlock()
		sockets.Add(1)
		if s.conn() == nil {
			polls.Add(1)
		}
	})
	st.Sockets, st.LongPolls, st.Channels = int(sockets.Load()), int(polls.Load()), int(channels.Load())
	return st
}

// LoopLag returns the longest time for which each event loop was busy without
// looking at its other connections. Each call starts the search anew, so call
// it from one place only, such as the scraper of AdminHandler's /stats, which
// reports it as "loop_lag".
func (ep *Endpoint) LoopLag() []poller.LoopLag { return ep.poller.LoopLag() }

// SlowPasses counts, for each event loop, the passes since the start that took
// 2 ms or more, which LoopLag reports as Slow. It may be called from any number
// of places.
func (ep *Endpoint) SlowPasses() [][]poller.SlowPasses { return ep.poller.SlowPasses() }

// Subscribers counts the subscriptions to a topic on this node only: the
// channels that have joined it and all other subscribers. SubscribersEverywhere
// counts them on all nodes.
func (ep *Endpoint) Subscribers(topic string) int { return ep.pubsub.Subscribers(topic) }

// countPatience is how long other nodes may take to answer.
const countPatience = 5 * time.Second

// SubscribersEverywhere sums Subscribers over all nodes of the cluster, each at
// the moment it was asked. It waits for their answers until ctx is done or 5 s
// have passed. If some have not answered by then, it returns the sum so far,
// including this node's own, and a *[pubsub.SilentError] that names them. With
// an Adapter that cannot ask, it returns this node's count and
// [pubsub.ErrNoCounter]. It never fails for a node alone. Every node does some
// work for it, so do not call it at each join.
func (ep *Endpoint) SubscribersEverywhere(ctx context.Context, topic string) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, countPatience)
	defer cancel()
	return ep.pubsub.SubscribersEverywhere(ctx, topic)
}
