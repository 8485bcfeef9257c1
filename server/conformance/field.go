package main

import (
	"encoding/json"
	"strings"
	"time"

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
			return map[string][]any{"postgres_changes": {}}, nil
		},
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return ch.Push("presence_state", nil) },
		In: phx.Events{
			"broadcast": func(ch *phx.Channel, p phx.Payload) (result any, err error) {
				o := phx.Value[options](ch, "options")
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

// absinthe is the control topic of GraphQL over Absinthe. The results of a subscription
// come on a topic that the client has not joined.
func absinthe() *phx.ChannelType {
	const document, wait = "__absinthe__:doc:1", 100 * time.Millisecond
	type result struct {
		Result         json.RawMessage `json:"result,omitempty"`
		SubscriptionID string          `json:"subscriptionId"`
	}
	doc := func(ch *phx.Channel, in struct{ Query string }) (any, error) {
		if !strings.Contains(in.Query, "subscription") {
			return json.RawMessage(`{"data":{"ping":"pong"}}`), nil
		}
		s := ch.Socket()
		s.Unsubscribe(document) // once is enough
		time.AfterFunc(wait, func() {
			tick := result{json.RawMessage(`{"data":{"tick":1}}`), document}
			_ = s.Endpoint().Broadcast(document, "subscription:data", tick) // fails only if there is too much already
		})
		return result{SubscriptionID: document}, s.Subscribe(document)
	}
	unsubscribe := func(ch *phx.Channel, p phx.Payload) (any, error) {
		ch.Socket().Unsubscribe(document)
		return p, nil
	}
	return &phx.ChannelType{In: phx.Events{"doc": on(doc), "unsubscribe": unsubscribe}}
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
		Joined: func(ch *phx.Channel, _ phx.Payload) error { return ch.Push("state:change", change{}) },
		In: phx.Events{
			"lvs_evt:inc": func(ch *phx.Channel, _ phx.Payload) (any, error) {
				n := phx.Value[int](ch, "n") + 1 // the version too: every change is one
				ch.Assign("n", n)
				return nil, ch.Push("state:patch", patch{[]operation{{"replace", "/n", n}}, n})
			},
		},
	}
}
