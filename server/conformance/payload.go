package main

import (
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// decode panics if p is no T: Phoenix has no clause for such a payload, and the
// channel or its join crashes. (phx.On would answer with an error.)
func decode[T any](p phx.Payload) T {
	var v T
	if err := p.Decode(&v); err != nil {
		panic(err)
	}
	return v
}

// on makes a handler of payloads that decode into a T; phx.Binary is bytes.
func on[T any](handle func(ch *phx.Channel, in T) (any, error)) phx.Handler {
	return func(ch *phx.Channel, p phx.Payload) (any, error) { return handle(ch, decode[T](p)) }
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
