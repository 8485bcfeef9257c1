// Package msgpack is a serializer for Phoenix messages in MessagePack, and an
// example of how to add one of your own: [Serializer] goes into
// phx.Mount.Serializers, phoenix-msgpack.mjs beside it into the page.
//
// A message is the array of version 2, [join_ref, ref, topic, event, payload],
// always in a binary WebSocket frame. Payloads are JSON to the application, as
// with every serializer, so they are rewritten in both directions:
//
//	MessagePack           JSON
//	nil, bool, map, array the same
//	str                   string; invalid UTF-8 becomes U+FFFD
//	int                   number, to the last of 64 bits
//	float                 number; NaN and infinities become null
//	bin                   string in base64, which a []byte field takes
//	timestamp             string of RFC 3339, which a time.Time field takes
//	other ext, keys that  none: the message is malformed
//	are not str
//
//	JSON                  MessagePack
//	integer of 64 bits    the shortest int
//	any other number      float 64; beyond its range an infinity
//	anything else         the same
//
// A payload that is bin as a whole is no JSON but a binary payload, and so is
// the response of a reply; it comes and goes as it is. JSON has no place for bin
// and timestamps, so one that a client has sent comes back as a string.
//
// JavaScript has no integers beyond 2^53: its MessagePack rounds them as its
// JSON does. Send such an id as a string.
//
// It is pure: no I/O, no goroutines, no clock, no state, and safe for concurrent
// use. Rewriting takes several times as long as the work of version 2. It happens once
// for a broadcast, however many get it, but on the event loop for each message of a
// client: set phx.Mount.MaxMessage no higher than your clients need.
package msgpack

import (
	"bytes"
	"fmt"

	"github.com/roost-rt/roost/server/wire"
)

// Serializer is protocol version 3.0, which is not one of Phoenix's own.
type Serializer struct{}

var _ wire.Serializer = Serializer{}

// Version returns "3.0.0".
func (Serializer) Version() string { return "3.0.0" }

// Decode decodes an array of exactly five from a binary frame. Refs are nil, str
// or int, topic and event are str. See [wire.Serializer].
func (Serializer) Decode(data []byte, binary bool) (wire.Message, error) {
	if !binary {
		return wire.Message{}, fmt.Errorf("%w: text frame, want MessagePack in a binary one", wire.ErrMalformed)
	}
	r := newReader(data)
	m, err := r.message()
	if err != nil {
		return wire.Message{}, fmt.Errorf("%w: byte %d: %w", wire.ErrMalformed, r.pos(), err)
	}
	return m, nil
}

// AppendPush appends [join_ref, nil, topic, event, payload]. See
// [wire.Serializer].
func (Serializer) AppendPush(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) (out []byte, binary bool, err error) {
	return appendMap(dst, joinRef, "", topic, event, p)
}

// AppendReply appends [join_ref, ref, topic, "phx_reply", {status, response}].
// See [wire.Serializer].
func (Serializer) AppendReply(dst []byte, joinRef, ref wire.Ref, topic, status string, p wire.Payload) (out []byte, binary bool, err error) {
	w := newWriter(dst)
	w.head(joinRef, ref, topic, "phx_reply")
	w.note(w.enc.EncodeMapLen(2))
	w.str("status")
	w.str(status)
	w.str("response")
	w.payload(p)
	return w.end(dst)
}

// AppendBroadcast appends [nil, nil, topic, event, payload]. See
// [wire.Serializer].
func (Serializer) AppendBroadcast(dst []byte, topic, event string, p wire.Payload) (out []byte, binary bool, err error) {
	return appendMap(dst, "", "", topic, event, p)
}

// AppendEnd appends [join_ref, join_ref, topic, event, payload]. See
// [wire.Serializer].
func (Serializer) AppendEnd(dst []byte, joinRef wire.Ref, topic, event string, p wire.Payload) (out []byte, binary bool, err error) {
	return appendMap(dst, joinRef, joinRef, topic, event, p)
}

// appendMap appends any message but a reply: its payload is a map or binary.
func appendMap(dst []byte, joinRef, ref wire.Ref, topic, event string, p wire.Payload) (out []byte, binary bool, err error) {
	if !p.Binary && !isMap(p.Data) {
		return dst, false, wire.ErrPayloadNotMap
	}
	w := newWriter(dst)
	w.head(joinRef, ref, topic, event)
	w.payload(p)
	return w.end(dst)
}

// isMap reports whether a JSON text, taken to be valid, is an object.
func isMap(text []byte) bool {
	return len(text) == 0 || bytes.HasPrefix(bytes.TrimLeft(text, " \t\r\n"), []byte("{"))
}
