// Package clientside is the client's side of the protocol: its messages and its
// handshake, as the official client has them.
//
// It shares no code with package wire: a mistake there would be made on both sides,
// and go unseen. It is pure: no I/O, no goroutines, no clock.
package clientside

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A Protocol is a version of the messages. All may use it at a time.
type Protocol interface {
	// Encode makes a client message, for a text or a binary frame.
	Encode(m Outgoing) (data []byte, binary bool, err error)

	// Decode reads a server message. It keeps nothing of data.
	Decode(data []byte, binary bool) (Message, error)
}

// An Outgoing is a client message. An empty JoinRef is null.
type Outgoing struct {
	JoinRef, Ref, Topic, Event string

	Payload []byte // JSON, unless Binary says otherwise
	Binary  bool
}

// A Message comes from a server. A ref that is null is "".
type Message struct {
	JoinRef, Ref, Topic, Event string
	Status                     string // of a reply

	// JSON is the payload or, of a reply, the response. It is nil if that is
	// Binary, which in turn is nil if it is JSON.
	JSON   json.RawMessage
	Binary []byte

	Kind Kind
}

// A Kind is how a message was sent.
type Kind string

const (
	Push      Kind = "push"
	Reply     Kind = "reply"
	Broadcast Kind = "broadcast"
	Either    Kind = "message" // push or broadcast: V1 does not say
)

// V1 is spec §2.1. Clients of that time send no join_ref.
type V1 struct{}

type v1Message struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
	Ref     *string         `json:"ref"`
}

func (V1) Encode(m Outgoing) ([]byte, bool, error) {
	if m.Binary {
		return nil, false, errors.New("version 1 has no binary payloads")
	}
	data, err := json.Marshal(v1Message{m.Topic, m.Event, m.Payload, &m.Ref})
	return data, false, err
}

func (V1) Decode(data []byte, binary bool) (Message, error) {
	if binary {
		return Message{}, errors.New("a binary frame, which V1 clients cannot read")
	}
	var m v1Message
	if err := json.Unmarshal(data, &m); err != nil {
		return Message{}, err
	}
	return finish(Message{Ref: text(m.Ref), Topic: m.Topic, Event: m.Event, JSON: m.Payload, Kind: Either})
}

// V2 is spec §2.2 and §2.3.
type V2 struct{}

func (V2) Encode(m Outgoing) ([]byte, bool, error) {
	if m.Binary {
		data, err := appendBinary(m.Payload, m.JoinRef, m.Ref, m.Topic, m.Event)
		return data, true, err
	}
	var joinRef *string
	if m.JoinRef != "" {
		joinRef = &m.JoinRef
	}
	data, err := json.Marshal([]any{joinRef, m.Ref, m.Topic, m.Event, json.RawMessage(m.Payload)})
	return data, false, err
}

// appendBinary makes a client push: kind 0, four sizes, the fields, the data.
func appendBinary(data []byte, fields ...string) ([]byte, error) {
	out := []byte{0}
	for _, f := range fields {
		if len(f) > 255 {
			return nil, fmt.Errorf("%q is longer than the 255 bytes that binary messages have room for", f)
		}
		out = append(out, byte(len(f)))
	}
	for _, f := range fields {
		out = append(out, f...)
	}
	return append(out, data...), nil
}

func (V2) Decode(data []byte, binary bool) (Message, error) {
	if binary {
		return decodeBinary(data)
	}
	var joinRef, ref *string
	var m Message
	elements := []any{&joinRef, &ref, &m.Topic, &m.Event, &m.JSON}
	n := len(elements)
	if err := json.Unmarshal(data, &elements); err != nil {
		return Message{}, err
	}
	if len(elements) != n {
		return Message{}, fmt.Errorf("an array of %d elements, want %d", len(elements), n)
	}
	m.JoinRef, m.Ref, m.Kind = text(joinRef), text(ref), Push
	if joinRef == nil {
		m.Kind = Broadcast
	}
	return finish(m)
}

// decodeBinary reads the three layouts that servers send.
func decodeBinary(data []byte) (Message, error) {
	var m Message
	layouts := [...][]*string{
		0: {&m.JoinRef, &m.Topic, &m.Event},
		1: {&m.JoinRef, &m.Ref, &m.Topic, &m.Status},
		2: {&m.Topic, &m.Event},
	}
	if len(data) == 0 || int(data[0]) >= len(layouts) || len(data) <= len(layouts[data[0]]) {
		return Message{}, errors.New("not the header of a binary message")
	}
	fields := layouts[data[0]]
	m.Kind = [...]Kind{Push, Reply, Broadcast}[data[0]]
	if m.Kind == Reply {
		m.Event = "phx_reply"
	}
	rest := data[1+len(fields):]
	for i, f := range fields {
		size := int(data[1+i])
		if size > len(rest) {
			return Message{}, errors.New("a binary message that ends in its fields")
		}
		*f, rest = string(rest[:size]), rest[size:]
	}
	m.Binary = append([]byte{}, rest...) // not nil, even if empty
	return m, nil
}

// finish takes the payload of a reply apart.
func finish(m Message) (Message, error) {
	if m.Event != "phx_reply" {
		return m, nil
	}
	var p struct {
		Status   string          `json:"status"`
		Response json.RawMessage `json:"response"`
	}
	if err := json.Unmarshal(m.JSON, &p); err != nil {
		return Message{}, err
	}
	m.Status, m.JSON, m.Kind = p.Status, p.Response, Reply
	return m, nil
}

// text is a ref, "" if it is null.
func text(ref *string) string {
	if ref == nil {
		return ""
	}
	return *ref
}
