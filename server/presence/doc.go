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
// If N people join a room of N people and each is told of each, N² messages result. So
// changes close to each other are combined into one diff, and the more people there
// are, the longer that takes ([Config.MaxRate]). Beyond [Config.MaxFull] keys, clients
// see a sample of about [Config.Sample] keys, the same ones as long as they stay, and
// the total in presence_count: a page shows some of the faces, and "and 999,975 more".
// So a newcomer to a room of any size is sent a few kilobytes.
//
// Clients see at most [Config.MaxMetas] metas of one key. When that leaves some out, or
// their number changes, presence_count says of which keys, and how many:
//
//	{"count": 1500, "more": {"nobody": 400}}
//
// Keys that are not in it have as many more as before. No message has more than about
// [Config.MaxMessage] bytes: larger states and diffs are sent in parts.
//
// Each node keeps everyone of a topic, on all nodes, some 400 bytes each. For rooms of
// hundreds of thousands choose [Config.SampleOnly], with which nodes keep only their own
// people and tell each other a sample and the count, or [Config.CountOnly], with which
// there is nothing but the count.
//
// # Several nodes
//
// Nodes exchange changes every [Config.Period], over the endpoint's adapter,
// and ask for changes they have missed. If a node has not been heard for
// [Config.DownAfter], and does not answer when asked, its presences leave; they
// return when it does. See package tracker.
//
// All methods may be called from any goroutine, and from callbacks.
package presence
