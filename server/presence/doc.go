// Package presence tracks who is on a topic, on all nodes, like Phoenix
// Presence (spec §7), for the Presence class of the official client.
//
//	var here = presence.New(presence.Config{})
//
//	room := &phx.ChannelType{
//		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
//			_, err := here.Track(ch, userID, map[string]any{"status": "online"})
//			return nil, err
//		},
//		Joined: func(ch *phx.Channel, _ phx.Payload) error { return here.PushState(ch) },
//	}
//
//	ep, err := phx.Start(cfg)
//	here.Attach(ep)
//	…
//	here.Close()
//	ep.Shutdown(ctx)
//
// A presence is a topic, a key (a user, who may be there several times) and a
// meta, a JSON object. It ends with the channel that tracks it. Clients of the
// topic get each change as presence_diff, the same bytes for all clients of a
// node. PushState pushes the initial state, presence_state, to a client.
//
// # Large topics
//
// If N people join a room of N people and each is told of each, N² messages
// result. So changes close to each other are combined into one diff, and the
// more there are, the longer that takes ([Config.MaxRate]). Beyond
// [Config.MaxFull] keys, clients see a sample of about [Config.Sample] keys,
// the same ones as long as they stay, and the total in presence_count. Of one
// key, clients see at most [Config.MaxMetas] metas; presence_count says of
// which keys there are more, when that changes, and how many:
//
//	{"count": 1500, "more": {"nobody": 400}}
//
// Keys that are not in it have as many more as before. No message has more than
// XX//
// # Several nodes
//
// Nodes exchange changes every [Config.Period], over the endpoint's adapter,
// and ask for changes they have missed. If a node has not been heard for
// [Config.DownAfter], and does not answer when asked, its presences leave; they
// return when it does. See package tracker.
//
// All methods may be called from any goroutine, and from callbacks.
package presence
