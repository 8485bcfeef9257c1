package phxtest

import (
	"encoding/json"
	"errors"
	"fmt"
)

// A protocol is the client's side of a version: what package wire is not.
type protocol interface {
	// encode makes a client message.
	encode(m outgoing) (data []byte, binary bool, err error)

	// decode reads a server message.
	decode(data []byte, binary bool) (Message, error)
}

// An outgoing is a client message. An empty joinRef is null.
type outgoing struct {
	joinRef, ref, topic, event string
	body                       body
}

// v1 is spec §2.1. Clients of that time send no join_ref.
type v1 struct{}

type v1Message struct {
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
	Ref     *string         `json:"ref"`
}

func (v1) encode(m outgoing) ([]byte, bool, error) {
	if m.body.binary {
		return nil, false, errors.New("version 1 has no binary payloads")
	}
	data, err := json.Marshal(v1Message{m.topic, m.event, m.body.data, &m.ref})
	return data, false, err
}

func (v1) decode(data []byte, binary bool) (Message, error) {
	if binary {
		return Message{}, errors.New("a binary frame, which V1 clients cannot read")
	}
	var m v1Message
	if err := json.Unmarshal(data, &m); err != nil {
		return Message{}, err
	}
	return finish(Message{Ref: text(m.Ref), Topic: m.Topic, Event: m.Event, JSON: m.Payload, kind: message})
}

// v2 is spec §2.2 and §2.3.
type v2 struct{}

func (v2) encode(m outgoing) ([]byte, bool, error) {
	if m.body.binary {
		data, err := appendBinary(m.body.data, m.joinRef, m.ref, m.topic, m.event)
		return data, true, err
	}
	var joinRef *string
	if m.joinRef != "" {
		joinRef = &m.joinRef
	}
	data, err := json.Marshal([]any{joinRef, m.ref, m.topic, m.event, json.RawMessage(m.body.data)})
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

func (v2) decode(data []byte, binary bool) (Message, error) {
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
	m.JoinRef, m.Ref, m.kind = text(joinRef), text(ref), push
	if joinRef == nil {
		m.kind = broadcast
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
	m.kind = [...]kind{push, reply, broadcast}[data[0]]
	if m.kind == reply {
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
	m.Status, m.JSON, m.kind = p.Status, p.Response, reply
	return m, nil
}

// text is a ref, "" if it is null.
func text(ref *string) string {
	if ref == nil {
		return ""
	}
	return *ref
}
