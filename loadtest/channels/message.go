// Package channels reads and writes messages of Phoenix Channels as a client does.
//
// It shares no code with the server's package wire: a mistake there would be made on
// both sides, and go unseen. Its input may come from any application and any encoder of
// JSON: keys in another order, spaces, escapes.
//
// It is pure: no I/O, no goroutines, no clock.
package channels

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Versions of the serializer, the vsn of the query.
const (
	V1 = "1.0.0"
	V2 = "2.0.0"
)

// Events that are not the application's.
const (
	Join  = "phx_join"
	Leave = "phx_leave"
	Close = "phx_close"
	Error = "phx_error"
	Reply = "phx_reply"
)

// A Message is one message, either way. A ref that is null is "".
type Message struct {
	JoinRef, Ref string
	Topic, Event string
	Payload      json.RawMessage // nil if it is binary
	Binary       []byte          // the payload, of a binary message; of a reply the response
	IsBinary     bool
}

// An Answer is the payload of a reply.
type Answer struct {
	Status   string          `json:"status"` // "ok" or "error"
	Response json.RawMessage `json:"response"`
}

// Answer returns the answer in a reply. It fails if the payload has none.
func (m *Message) Answer() (a Answer, err error) {
	if m.IsBinary {
		return Answer{Status: string(m.Payload)}, nil
	}
	if err := json.Unmarshal(m.Payload, &a); err != nil {
		return a, fmt.Errorf("reply: %w", err)
	}
	if a.Status == "" {
		return a, errors.New("reply: no status")
	}
	return a, nil
}

// Reason is why an answer is an error: the response's "reason", which is the
// convention, or else the response, cut.
func (a Answer) Reason() string {
	var with struct {
		Reason any `json:"reason"`
	}
	if json.Unmarshal(a.Response, &with) == nil && with.Reason != nil {
		if text, ok := with.Reason.(string); ok {
			return Excerpt([]byte(text))
		}
	}
	return Excerpt(a.Response)
}

// excerpt is how many bytes of a text are shown to people.
const excerpt = 100

// Excerpt is the beginning of a text, for people.
func Excerpt(text []byte) string {
	if len(text) <= excerpt {
		return string(bytes.ToValidUTF8(text, []byte("?")))
	}
	return string(bytes.ToValidUTF8(text[:excerpt], nil)) + "…"
}

// Decode reads a text message: an array of five is version 2, an object version 1.
func Decode(text []byte) (m Message, err error) {
	text = bytes.TrimLeft(text, " \t\r\n")
	if len(text) > 0 && text[0] == '{' {
		return decodeV1(text)
	}
	var parts []json.RawMessage
	if err := json.Unmarshal(text, &parts); err != nil {
		return m, fmt.Errorf("message: %w", err)
	}
	if len(parts) < 5 {
		return m, fmt.Errorf("message: %d elements, want 5", len(parts))
	}
	m.JoinRef, m.Ref, m.Payload = ref(parts[0]), ref(parts[1]), parts[4]
	if err := json.Unmarshal(parts[2], &m.Topic); err != nil {
		return m, fmt.Errorf("message: topic: %w", err)
	}
	if err := json.Unmarshal(parts[3], &m.Event); err != nil {
		return m, fmt.Errorf("message: event: %w", err)
	}
	return m, nil
}

func decodeV1(text []byte) (Message, error) {
	var v struct {
		JoinRef json.RawMessage `json:"join_ref"`
		Ref     json.RawMessage `json:"ref"`
		Topic   string          `json:"topic"`
		Event   string          `json:"event"`
		Payload json.RawMessage `json:"payload"`
	}
	if err := json.Unmarshal(text, &v); err != nil {
		return Message{}, fmt.Errorf("message: %w", err)
	}
	return Message{JoinRef: ref(v.JoinRef), Ref: ref(v.Ref), Topic: v.Topic, Event: v.Event, Payload: v.Payload}, nil
}

// ref is a ref as text: servers may send any JSON.
func ref(raw json.RawMessage) string {
	var text string
	switch err := json.Unmarshal(raw, &text); {
	case len(raw) == 0 || string(raw) == "null":
		return ""
	case err == nil:
		return text
	}
	return string(raw)
}

// Encode appends a text message of a client to dst.
func Encode(dst []byte, vsn string, m Message) []byte {
	payload := m.Payload
	if len(payload) == 0 {
		payload = json.RawMessage("{}")
	}
	if vsn == V1 {
		dst = append(append(dst, `{"topic":`...), quote(m.Topic)...)
		dst = append(append(dst, `,"event":`...), quote(m.Event)...)
		dst = append(append(dst, `,"payload":`...), payload...)
		dst = append(append(dst, `,"ref":`...), quote(m.Ref)...)
		dst = append(append(dst, `,"join_ref":`...), quote(m.JoinRef)...)
		return append(dst, '}')
	}
	dst = append(append(dst, '['), quote(m.JoinRef)...)
	dst = append(append(dst, ','), quote(m.Ref)...)
	dst = append(append(dst, ','), quote(m.Topic)...)
	dst = append(append(dst, ','), quote(m.Event)...)
	dst = append(append(dst, ','), payload...)
	return append(dst, ']')
}

// quote is a text as JSON, and null for "".
func quote(s string) []byte {
	if s == "" {
		return []byte("null")
	}
	text, err := json.Marshal(s)
	if err != nil {
		return []byte("null") // a string always has JSON: there is no error
	}
	return text
}
