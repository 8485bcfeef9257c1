// Package presence says who is on a topic, on all nodes: what Phoenix calls Presence
// (spec §7), for the Presence class of the official client.
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
// A presence is a topic, a key (who: one user may be there several times) and a meta,
// a JSON object. It ends with the channel that tracks it. Clients of the topic get
// each change as presence_diff, the same bytes for all of a node; what a client needs
// first, presence_state, is pushed to it by PushState.
//
// # Large topics
//
// N people who come to a room of N people are N² messages, if each is told of each.
// So changes that come close to each other are one diff. And beyond Config.MaxFull
// keys clients see a sample of the keys, about Config.Sample of them and the same ones
// as long as they stay, and in presence_count how many there are. No message has more
// than about Config.MaxMessage bytes: a larger state or diff is several. Topics that
// Config.CountOnly picks have presence_count alone, and remember no names at all.
//
// # Several nodes
//
// Nodes tell each other what changes every Config.Period, over the endpoint's
// adapter, and ask for what they have missed. The presences of a node that has not
// been heard for Config.DownAfter, and does not answer when asked, leave; they come
// back with it. See package tracker.
//
// All methods may be called from any goroutine, and from callbacks.
package presence
