package msgpack

import (
	"fmt"

	"github.com/vmihailenco/msgpack/v5/msgpcode"

	"github.com/roost-rt/roost/server/wire"
)

// message reads the array, and nothing may follow it.
func (r *reader) message() (m wire.Message, err error) {
	n, err := r.dec.DecodeArrayLen()
	if err != nil {
		return m, err
	}
	if n != 5 {
		return m, fmt.Errorf("array of %d, want 5", n)
	}
	if m.JoinRef, err = r.ref(); err != nil {
		return m, fmt.Errorf("join ref: %w", err)
	}
	if m.Ref, err = r.ref(); err != nil {
		return m, fmt.Errorf("ref: %w", err)
	}
	if m.Topic, err = r.name(); err != nil {
		return m, fmt.Errorf("topic: %w", err)
	}
	if m.Event, err = r.name(); err != nil {
		return m, fmt.Errorf("event: %w", err)
	}
	if m.Payload, err = r.payload(); err != nil {
		return m, fmt.Errorf("payload: %w", err)
	}
	if n := r.rest.Len(); n > 0 {
		return m, fmt.Errorf("%d bytes after the message", n)
	}
	return m, nil
}

// ref reads a ref, which is to come back as it was sent (spec §2.2): of types
// that JSON lacks it could not.
func (r *reader) ref() (wire.Ref, error) {
	code, err := r.dec.PeekCode()
	switch {
	case err != nil:
		return "", err
	case code == msgpcode.Nil:
		return "", r.dec.DecodeNil()
	case !msgpcode.IsString(code) && !isInt(code):
		return "", fmt.Errorf("type %#x, want nil, str or int", code)
	}
	token, err := r.value(nil)
	return wire.Ref(token), err
}

// name reads a topic or an event.
func (r *reader) name() (string, error) {
	text, err := r.str()
	return string(text), err
}

func (r *reader) payload() (p wire.Payload, err error) {
	code, err := r.dec.PeekCode()
	if err != nil {
		return p, err
	}
	if p.Binary = msgpcode.IsBin(code); p.Binary {
		p.Data, err = r.bytes()
	} else {
		p.Data, err = r.value(nil)
	}
	return p, err
}
