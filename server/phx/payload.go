package phx

import (
	"encoding/json"
	"errors"

	"github.com/roost-rt/roost/pubsub"
	"github.com/roost-rt/roost/server/wire"
)

// A Payload is the body of a message: JSON text, or bytes if it is binary. A
// callback may keep it, and send it on as it is.
type Payload struct{ body wire.Payload }

// Binary is a payload sent as bytes rather than JSON. V2 clients get an
// ArrayBuffer; V1 clients cannot receive it.
type Binary []byte

// Encode makes a payload of what Push takes, once for all who are sent it: a Push of
// it costs no encoding. It fails where v is no JSON.
func Encode(v any) (Payload, error) {
	body, err := marshal(v)
	return Payload{body}, err
}

// payloadOf is the payload of a broadcast.
func payloadOf(m *pubsub.Message) Payload {
	return Payload{wire.Payload{Data: m.Payload, Binary: m.Binary}}
}

// Decode decodes a JSON payload as [json.Unmarshal] does, and a binary one into
// a *[Binary]. A callback can return its error as it is: a [ReplyError] for the
// client, with a reason such as "invalid payload: items.2.price: string where a
// number is expected". The error of encoding/json, which names Go types, is for
// the log. A ReplyError of an UnmarshalJSON method is sent unchanged. Only a
// target that can never be decoded into gives another error: a crash.
func (p Payload) Decode(into any) error {
	if b, ok := into.(*Binary); ok {
		if !p.body.Binary {
			return Errorf("invalid payload: JSON, want binary")
		}
		*b = p.body.Data
		return nil
	}
	if p.body.Binary {
		return Errorf("invalid payload: binary, want JSON")
	}
	if err := json.Unmarshal(p.JSON(), into); err != nil {
		return mismatch(p.JSON(), err)
	}
	return nil
}

// JSON returns the text of a JSON payload, or nil for a binary one. It must not
// be changed.
func (p Payload) JSON() []byte {
	if p.body.Binary {
		return nil
	}
	if p.body.Data == nil {
		return []byte("{}")
	}
	return p.body.Data
}

// Binary returns the bytes of a binary payload. They must not be changed.
func (p Payload) Binary() (b []byte, ok bool) {
	if !p.body.Binary {
		return nil, false
	}
	return p.body.Data, true
}

// MarshalJSON makes a JSON payload part of a larger value.
func (p Payload) MarshalJSON() ([]byte, error) {
	if p.body.Binary {
		return nil, errors.New("binary payload inside JSON")
	}
	return p.JSON(), nil
}

// On makes a handler for payloads that decode into a T: from JSON or, if T is
// [Binary], from bytes. A payload that does not decode, or whose Validate
// method (if T or *T has one) returns an error, is answered with an error reply
// and never reaches handle. The client is told the text of that error, so write
// it for clients, or return a [ReplyError].
func On[T any](handle func(ch *Channel, in T) (any, error)) Handler {
	return func(ch *Channel, p Payload) (any, error) {
		var in T
		if err := p.Decode(&in); err != nil {
			return nil, err
		}
		if v, ok := any(&in).(interface{ Validate() error }); ok {
			if err := v.Validate(); err != nil {
				if refusal := (*ReplyError)(nil); errors.As(err, &refusal) {
					return nil, err
				}
				return nil, Errorf("%v", err)
			}
		}
		return handle(ch, in)
	}
}

// Params are the query parameters of a connect request (spec §1.2): strings,
// or for bracketed names Params-like maps and lists of them.
type Params map[string]any

// String returns the parameter of that name, or "" if it is missing or not a
// string.
func (p Params) String(name string) string {
	s, _ := p[name].(string)
	return s
}
