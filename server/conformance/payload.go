package main

import (
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A handler is one of phx.Events.
type handler = func(ch *phx.Channel, p phx.Payload) (any, error)

// decode panics if p is no T: Phoenix has no clause for such a payload, and the
// channel or its join crashes. (phx.On would answer with an error.)
func decode[T any](p phx.Payload) T {
	var v T
	if err := p.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// on makes a handler of payloads that decode into a T.
func on[T any](handle func(ch *phx.Channel, in T) (any, error)) handler {
	return func(ch *phx.Channel, p phx.Payload) (any, error) { return handle(ch, decode[T](p)) }
}

// onBinary makes a handler of binary payloads; others crash the channel.
func onBinary(handle func(ch *phx.Channel, b phx.Binary) (any, error)) handler {
	return func(ch *phx.Channel, p phx.Payload) (any, error) {
		b, ok := p.Binary()
		if !ok {
			panic("a JSON payload where only binary ones have a clause")
		}
		return handle(ch, b)
	}
}

// with is p, which must be an object, and one field more.
func with(p phx.Payload, key string, value any) map[string]any {
	fields := decode[map[string]any](p)
	fields[key] = value
	return fields
}

// pause is how long p.ms says. Without a number there it panics.
func pause(p phx.Payload) time.Duration {
	in := decode[struct {
		MS *int `json:"ms"`
	}](p)
	return time.Duration(*in.MS) * time.Millisecond
}

// runs is an Info callback: Join sends the channel a function for what it must
// not do itself yet, and it is called right after (spec §5.2).
func runs(_ *phx.Channel, msg any) error { return msg.(func() error)() }
