package main

import (
	"reflect"

	"github.com/roost-rt/roost/server/phx"
)

// intercept is intercept:*, whose members get shouts made out to them, or left
// out if they are who the shout says to skip. Plain ones take the fastlane.
func intercept() *phx.ChannelType {
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			ch.Assign("me", decode[map[string]any](p)["me"])
			return nil, nil
		},
		In:        phx.Events{"shout": broadcast("shout"), "plain": broadcast("plain")},
		Intercept: []string{"shout"},
		Out: func(ch *phx.Channel, event string, p phx.Payload) error {
			me := ch.Value("me")
			shout := with(p, "for", me)
			if reflect.DeepEqual(shout["skip"], me) {
				return nil
			}
			return ch.Push(event, shout)
		},
	}
}
