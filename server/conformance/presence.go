package main

import (
	"cmp"
	"errors"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/presence"
)

// present is presence:*: who joins is there as the user of the join, until the end of
// the channel.
func present(here *presence.Presence) *phx.ChannelType {
	type join struct{ User string }
	user := func(ch *phx.Channel) string { return phx.Value[string](ch, "user") }
	return &phx.ChannelType{
		Join: on(func(ch *phx.Channel, in join) (any, error) {
			ch.Assign("user", cmp.Or(in.User, "anon"))
			return nil, nil
		}),
		Joined: func(ch *phx.Channel, _ phx.Payload) error {
			_, err := here.Track(ch, user(ch), map[string]string{"st": "in"})
			return errors.Join(err, here.PushState(ch))
		},
		In: phx.Events{
			"away": func(ch *phx.Channel, p phx.Payload) (any, error) {
				_, err := here.Update(ch, user(ch), p)
				if errors.Is(err, presence.ErrNotTracked) {
					return nil, phx.Errorf("nopresence")
				}
				return phx.OK, err
			},
			"untrack": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				here.Untrack(ch, user(ch))
				return phx.OK, nil
			},
			"list":  func(ch *phx.Channel, _ phx.Payload) (any, error) { return here.List(ch.Topic()), nil },
			"crash": crash,
		},
	}
}
