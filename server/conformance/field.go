package main

import (
	"encoding/json"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// field are topics whose own servers other Channels clients of the field expect.
func field() []phx.Route {
	return []phx.Route{
		{Pattern: "realtime:*", Type: realtime()},
		{Pattern: "__absinthe__:control", Type: absinthe()},
		{Pattern: "live:*", Type: live()},
	}
}

// realtime is a Supabase channel: each join says who gets its broadcasts.
func realtime() *phx.ChannelType {
	type options struct {
		Self bool // the sender gets its own broadcasts
		Ack  bool // they are answered
	}
	type join struct {
		Config struct{ Broadcast options }
	}
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, p phx.Payload) (any, error) {
			ch.Assign("options", decode[join](p).Config.Broadcast)
			err := ch.Send(func() error { return ch.Push("presence_state", nil) })
			return map[string][]any{"postgres_changes": {}}, err
		},
		Info: runs,
		In: phx.Events{
			"broadcast": func(ch *phx.Channel, p phx.Payload) (result any, err error) {
				o := ch.Value("options").(options)
				if o.Ack {
					result = phx.OK
				}
				if o.Self {
					return result, ch.Broadcast("broadcast", p)
				}
				return result, ch.BroadcastFrom("broadcast", p)
			},
			"access_token": ignore,
		},
	}
}

// absinthe is the control topic of GraphQL over Absinthe.
func absinthe() *phx.ChannelType {
	doc := func(_ *phx.Channel, in struct{ Query string }) (any, error) {
		if strings.Contains(in.Query, "subscription") {
			return map[string]string{"subscriptionId": "__absinthe__:doc:1"}, nil
		}
		return json.RawMessage(`{"data":{"ping":"pong"}}`), nil
	}
	return &phx.ChannelType{In: phx.Events{"doc": on(doc), "unsubscribe": echo}}
}

// live is a LiveState channel: the server keeps the state, here a count, and the
// client gets it as JSON patches.
func live() *phx.ChannelType {
	type (
		state struct {
			N int `json:"n"`
		}
		change struct {
			State   state `json:"state"`
			Version int   `json:"version"`
		}
		operation struct {
			Op    string `json:"op"`
			Path  string `json:"path"`
			Value int    `json:"value"`
		}
		patch struct {
			Patch   []operation `json:"patch"`
			Version int         `json:"version"`
		}
	)
	return &phx.ChannelType{
		Join: func(ch *phx.Channel, _ phx.Payload) (any, error) {
			ch.Assign("n", 0)
			return nil, ch.Send(func() error { return ch.Push("state:change", change{}) })
		},
		Info: runs,
		In: phx.Events{
			"lvs_evt:inc": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				n := ch.Value("n").(int) + 1 // the version too: every change is one
				ch.Assign("n", n)
				return nil, ch.Push("state:patch", patch{[]operation{{"replace", "/n", n}}, n})
			},
		},
	}
}
