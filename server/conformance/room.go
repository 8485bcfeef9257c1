package main

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// room is room:* and lobby: one event for each thing that a channel can do.
func room() *phx.ChannelType {
	return &phx.ChannelType{
		Join: joinRoom,
		In: phx.Events{
			// Replies.
			"ping":      echo,
			"ok":        func(*phx.Channel, phx.Payload) (any, error) { return phx.OK, nil },
			"fail":      func(_ *phx.Channel, p phx.Payload) (any, error) { return nil, &phx.ReplyError{Response: p} },
			"fail_bare": func(*phx.Channel, phx.Payload) (any, error) { return nil, &phx.ReplyError{} },
			"status":    func(_ *phx.Channel, p phx.Payload) (any, error) { return phx.Reply{Status: "maybe", Response: p}, nil },
			"noreply":   ignore,
			"slow":      slow,
			"big":       on(big),
			"whoami":    whoami,

			// Broadcasts and pushes.
			"shout":        broadcast("shout"),
			"new_msg":      broadcast("new_msg"),
			"shout_reply":  shoutReply,
			"shout_from":   func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.BroadcastFrom("shout", p) },
			"broadcast_to": on(broadcastTo),
			"push_me":      func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Push("pushed", p) },
			"burst":        on(burst),
			"disconnect":   on(disconnect),

			// Ends.
			"crash":        crash,
			"stop":         func(_ *phx.Channel, p phx.Payload) (any, error) { return p, phx.Stop(phx.Normal) },
			"stop_noreply": func(*phx.Channel, phx.Payload) (any, error) { return nil, phx.Stop(phx.Shutdown) },

			// Binary payloads.
			"bin":       on(func(_ *phx.Channel, b phx.Binary) (any, error) { return b, nil }),
			"bin_fail":  on(func(_ *phx.Channel, b phx.Binary) (any, error) { return nil, &phx.ReplyError{Response: b} }),
			"bin_len":   on(func(_ *phx.Channel, b phx.Binary) (any, error) { return map[string]int{"len": len(b)}, nil }),
			"bin_push":  on(func(ch *phx.Channel, b phx.Binary) (any, error) { return nil, ch.Push("bin_pushed", b) }),
			"bin_shout": on(func(ch *phx.Channel, b phx.Binary) (any, error) { return nil, ch.Broadcast("bin_shout", b) }),

			// What load tools send.
			"echo":      on(func(_ *phx.Channel, in body) (any, error) { return body{"echo", in.Body}, nil }),
			"broadcast": on(broadcastBody),
		},
	}
}

func joinRoom(ch *phx.Channel, p phx.Payload) (any, error) {
	switch ch.Topic() {
	case "room:private":
		return nil, phx.Errorf("unauthorized")
	case "room:raise":
		panic("asked to")
	case "room:echo":
		return p, nil
	case "room:slow":
		time.Sleep(pause(p)) // what the topic is for: a join that blocks
	case "lobby":
		return map[string]bool{"exact": true}, nil
	}
	return nil, nil
}

func echo(_ *phx.Channel, p phx.Payload) (any, error) { return p, nil }
func ignore(*phx.Channel, phx.Payload) (any, error)   { return nil, nil }
func crash(*phx.Channel, phx.Payload) (any, error)    { panic("asked to") }

// slow answers later, while the channel goes on.
func slow(ch *phx.Channel, p phx.Payload) (any, error) {
	ref := ch.Ref()
	time.AfterFunc(pause(p), func() { _ = ref.Reply(p) }) // whoever left meanwhile gets none
	return nil, nil
}

func big(_ *phx.Channel, in struct{ N int }) (any, error) {
	return map[string]string{"data": strings.Repeat("x", in.N)}, nil
}

func whoami(ch *phx.Channel, _ phx.Payload) (any, error) {
	return map[string]any{"topic": ch.Topic(), "user_id": ch.Value("user_id"), "join_ref": ch.JoinRef()}, nil
}

// broadcast makes a handler that sends its payload to all, as the given event.
func broadcast(event string) phx.Handler {
	return func(ch *phx.Channel, p phx.Payload) (any, error) { return nil, ch.Broadcast(event, p) }
}

func shoutReply(ch *phx.Channel, p phx.Payload) (any, error) { return p, ch.Broadcast("shout", p) }

// An envelope is a broadcast as a suite asks for it.
type envelope struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

func broadcastTo(ch *phx.Channel, e envelope) (any, error) {
	return phx.OK, ch.Socket().Endpoint().Broadcast(e.Topic, e.Event, e.Payload)
}

func burst(ch *phx.Channel, in struct{ N int }) (any, error) {
	for i := range in.N {
		if err := ch.Push("n", map[string]int{"i": i}); err != nil {
			return nil, err
		}
	}
	return map[string]int{"n": in.N}, nil
}

func disconnect(ch *phx.Channel, in struct{ ID string }) (any, error) {
	return phx.OK, ch.Socket().Endpoint().Broadcast(in.ID, "disconnect", nil)
}

// A body is the payload that load tools send and get.
type body struct {
	Type string          `json:"type"`
	Body json.RawMessage `json:"body"`
}

func broadcastBody(ch *phx.Channel, in body) (any, error) {
	if err := ch.Broadcast("broadcast", body{"broadcast", in.Body}); err != nil {
		return nil, err
	}
	return body{"broadcastResult", in.Body}, nil
}
