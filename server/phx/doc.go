// Package phx is a Phoenix Channels server. The official phoenix JavaScript
// client works with it unchanged.
//
// A client opens one WebSocket, its [Socket], and joins topics on it; each join
// makes a [Channel]. A [ChannelType], a set of callbacks, says how a channel
// behaves:
//
//	room := &phx.ChannelType{
//		In: phx.Events{
//			"new_msg": func(ch *phx.Channel, p phx.Payload) (any, error) {
//				return nil, ch.Broadcast("new_msg", p)
//			},
//		},
//	}
//	ep, err := phx.Start(phx.Config{
//		Addr:   ":4000",
//		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "room:*", Type: room}}}},
//	})
//
// [Start] listens at an address by itself. To share a server with other routes,
// make the endpoint with [New] and mount it: it is an [http.Handler]. To listen
// elsewhere, such as on a Unix socket, pass the listener to [Endpoint.Serve].
//
// # Concurrency
//
// The callbacks of one channel run one at a time, in order of arrival, on a
// bounded worker pool; callbacks of different channels run at the same time. A
// callback may block, but occupies a worker while it does: anything it waits
// for should end with [Channel.CallbackContext]. Everything exported may be
// called from any goroutine unless its documentation says otherwise.
//
// Internally, frames are decoded and routed on the event loop. Locks are taken
// in the order Socket.mu, Channel.mu, pollSession.mu, answerer.mu, then those
// of packages pubsub and poller. No lock is held while application code runs,
// including telemetry hooks. Telemetry hooks may run on the loop and must not
// block. Log handlers run on a goroutine of their own and may block.
package phx
