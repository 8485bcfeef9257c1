package phxtest

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// A Message is a message from the server.
type Message struct {
	JoinRef string // "" is null: broadcasts have none, and V1 never has
	Ref     string // of what a reply answers
	Topic   string
	Event   string // "phx_reply" for replies
	Status  string // of a reply

	// JSON is the payload or, of a reply, the response. It is nil if that is
	// Binary, which in turn is nil if it is JSON.
	JSON   json.RawMessage
	Binary []byte

	kind kind
	t    testing.TB
}

type kind = clientside.Kind

const (
	push      = clientside.Push
	reply     = clientside.Reply
	broadcast = clientside.Broadcast
	message   = clientside.Either
)

// String shows the message without its topic and refs.
func (m Message) String() string {
	name := m.Event
	if m.kind == reply {
		name = m.Status
	}
	return fmt.Sprintf("%s %q %s", m.kind, name, m.body())
}

func (m Message) body() body {
	if m.Binary != nil {
		return body{m.Binary, true}
	}
	return body{data: m.JSON}
}

// Decode decodes the JSON payload, or the response, of a message that came. It
// fails the test if that is no T:
//
//	msg := phxtest.Decode[NewMsg](room.ExpectPush("new_msg", phxtest.Any))
func Decode[T any](m Message) (v T) {
	m.t.Helper()
	if err := json.Unmarshal(m.JSON, &v); err != nil {
		m.t.Fatalf("decode %v into %T: %v", m, v, err)
	}
	return v
}
