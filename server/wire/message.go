package wire

import (
	"encoding/json"
	"strings"
	"unsafe"
)

// A Ref is a ref or join ref exactly as it arrived: its JSON token, such as
// `"1"` with the quotes or `7` without, or "" for null and absent. It is
// opaque, to be compared and to be echoed with its JSON type (spec §2.2). Null
// is not the empty string, whose token is `""`.
type Ref string

// text is the ref without its JSON clothes, as binary frames carry it.
func (r Ref) text() string {
	if len(r) < 2 || r[0] != '"' {
		return string(r) // null, a number, or an oddity whose JSON has to do
	}
	if strings.IndexByte(string(r), '\\') < 0 {
		return string(r[1 : len(r)-1])
	}
	return unquote([]byte(r))
}

// A Payload is the body of a message: JSON text, or any bytes when Binary.
//
// JSON is pasted into messages as it is, so Data must be one valid JSON value;
// decoded payloads are. Empty JSON Data encodes as {}.
type Payload struct {
	Data   []byte
	Binary bool
}

// isMap reports whether JSON data, taken to be valid, is an object.
func (p Payload) isMap() bool {
	for _, c := range p.Data {
		if !isSpace(c) {
			return c == '{'
		}
	}
	return true // encodes as {}
}

func (p Payload) appendJSON(dst []byte) []byte {
	if len(p.Data) == 0 {
		return append(dst, "{}"...)
	}
	return append(dst, p.Data...)
}

// A Message is one decoded client message.
//
// Its strings and slices ALIAS the bytes it was decoded from and are valid only
// as long as those do not change: Clone what outlives them, even a map key.
type Message struct {
	JoinRef Ref
	Ref     Ref
	Topic   string
	Event   string // JSON text, should the event not be a string
	Payload Payload

	// RawTopic is nil except for a topic that is not a JSON string. Then it is
	// the topic's JSON token, to be echoed by a RawTopicReplier, and Topic is
	// "": no client can have joined it (spec §1.10).
	RawTopic []byte
}

// newMessage makes a message of JSON tokens. A nil joinRef counts as null.
func newMessage(joinRef, ref, topic, event, payload []byte) Message {
	m := Message{
		JoinRef: viewRef(joinRef),
		Ref:     viewRef(ref),
		Event:   viewText(event),
		Payload: Payload{Data: payload},
	}
	if topic[0] == '"' {
		m.Topic = viewText(topic)
	} else {
		m.RawTopic = topic
	}
	return m
}

// Clone returns a copy that shares no memory with m. It allocates once.
func (m Message) Clone() Message {
	c := cloner{make([]byte, 0, len(m.JoinRef)+len(m.Ref)+len(m.Topic)+len(m.Event)+len(m.Payload.Data)+len(m.RawTopic))}
	return Message{
		JoinRef:  Ref(c.string(string(m.JoinRef))),
		Ref:      Ref(c.string(string(m.Ref))),
		Topic:    c.string(m.Topic),
		Event:    c.string(m.Event),
		Payload:  Payload{Data: c.bytes(m.Payload.Data), Binary: m.Payload.Binary},
		RawTopic: c.bytes(m.RawTopic),
	}
}

// A cloner hands out copies from one buffer, which must have room for them all.
type cloner struct{ buf []byte }

func (c *cloner) string(s string) string {
	start := len(c.buf)
	c.buf = append(c.buf, s...)
	return view(c.buf[start:])
}

func (c *cloner) bytes(b []byte) []byte {
	if b == nil {
		return nil
	}
	start := len(c.buf)
	c.buf = append(c.buf, b...)
	return c.buf[start:len(c.buf):len(c.buf)] // the cap protects the next copy from appends
}

// view returns b as a string without copying it.
func view(b []byte) string {
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// viewRef returns the ref that a JSON token stands for, without copying it.
func viewRef(token []byte) Ref {
	if string(token) == "null" {
		return ""
	}
	return Ref(view(token))
}

// viewText returns the text of a JSON token: the content of a string, the token
// itself for other values. It copies only strings that contain escapes.
func viewText(token []byte) string {
	if token[0] != '"' {
		return view(token)
	}
	content := view(token[1 : len(token)-1])
	if strings.IndexByte(content, '\\') < 0 {
		return content
	}
	return unquote(token)
}

// unquote returns the content of a JSON string token with escapes. Half a
// surrogate pair, which no Go string can hold, becomes U+FFFD.
func unquote(token []byte) string {
	var s string
	if json.Unmarshal(token, &s) != nil {
		return string(token) // only a Ref that no Decode made is not valid JSON
	}
	return s
}
