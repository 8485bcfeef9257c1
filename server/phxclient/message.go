package phxclient

import (
	"encoding/json"
	"errors"
	"fmt"

	"github.com/roost-rt/roost/server/internal/clientside"
)

// Events of Messages that are not the application's.
const (
	// Joined is the event of the answer to a join, the first or a later one: what was
	// known of the topic may be out of date.
	Joined = "phx_join"

	// Lost is the event when a join is lost: the channel has crashed, the connection has
	// ended, or too much waited to be read. Its JSON has the reason, a text. A Joined
	// follows, unless the channel is left before.
	Lost = "phx_error"
)

// Binary is a payload that is sent as it is, and not as JSON. V1 has none.
type Binary []byte

// A Message is a message from the server to a channel, or the response of a reply.
type Message struct {
	// Event is the application's, or Joined or Lost. It is empty in responses.
	Event string

	// JSON is the payload. It is nil if that is Binary, which in turn is nil if it is JSON.
	JSON   json.RawMessage
	Binary []byte
}

// Decode decodes the JSON payload into what v points to. It fails for binary ones.
func (m Message) Decode(v any) error {
	if m.Binary != nil {
		return fmt.Errorf("%q has a binary payload", m.Event)
	}
	return json.Unmarshal(m.JSON, v)
}

// Errors of channels and clients.
var (
	ErrClosed    = errors.New("phxclient: the client is closed")
	ErrEnded     = errors.New("phxclient: the channel has ended")
	ErrLost      = errors.New("phxclient: the join was lost before the reply: the server may have got the message or not")
	ErrNotJoined = errors.New("phxclient: the channel has not been joined: call Join first")
	ErrJoined    = errors.New("phxclient: the topic is joined already: leave it first")
)

// A ReplyError is a reply whose status is not "ok": the server refused.
type ReplyError struct {
	Status   string // "error", or the application's own
	Response Message
}

func (e *ReplyError) Error() string {
	if e.Response.Binary != nil {
		return fmt.Sprintf("phxclient: reply %q with %d bytes", e.Status, len(e.Response.Binary))
	}
	return fmt.Sprintf("phxclient: reply %q %.200s", e.Status, e.Response.JSON)
}

// response returns the response of a reply.
func response(m clientside.Message) (Message, error) {
	r := Message{JSON: m.JSON, Binary: m.Binary}
	if m.Status != "ok" {
		return r, &ReplyError{m.Status, r}
	}
	return r, nil
}

// A body is a payload on its way.
type body struct {
	data   []byte
	binary bool
}

// encode makes a body: nil is the empty object.
func encode(payload any) (body, error) {
	switch p := payload.(type) {
	case nil:
		return body{data: []byte("{}")}, nil
	case Binary:
		return body{p, true}, nil
	}
	data, err := json.Marshal(payload)
	return body{data: data}, err
}

func (b body) size() int       { return len(b.data) + overhead }
func (m Message) size() int    { return len(m.JSON) + len(m.Binary) + overhead }
func reason(err error) Message { return Message{Event: Lost, JSON: quote(err.Error())} }

// quote is a text as JSON.
func quote(text string) json.RawMessage {
	b, err := json.Marshal(text)
	if err != nil {
		return json.RawMessage(`""`) // no text lacks JSON: there is no error
	}
	return b
}
