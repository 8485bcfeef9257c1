package channels

import (
	"errors"
	"fmt"
)

// Kinds of binary messages of version 2. The kind is followed by the sizes of the fields,
// one byte each, then the fields, then the payload.
const (
	kindPush      = 0
	kindReply     = 1
	kindBroadcast = 2
)

// EncodeBinary appends a push with a binary payload to dst. It fails for a field of
// more than 255 bytes.
func EncodeBinary(dst []byte, m Message) ([]byte, error) {
	fields := []string{m.JoinRef, m.Ref, m.Topic, m.Event}
	dst = append(dst, kindPush)
	for _, f := range fields {
		if len(f) > 255 {
			return nil, fmt.Errorf("binary message: %q has more than 255 bytes", Excerpt([]byte(f)))
		}
		dst = append(dst, byte(len(f)))
	}
	for _, f := range fields {
		dst = append(dst, f...)
	}
	return append(dst, m.Binary...), nil
}

var errShort = errors.New("binary message: too short")

// DecodeBinary reads a binary message of a server. Of a reply, Payload is its
// status and Binary the response; see Message.Answer.
func DecodeBinary(b []byte) (m Message, err error) {
	if len(b) == 0 {
		return m, errShort
	}
	m.IsBinary = true
	switch kind := b[0]; kind {
	case kindPush:
		m.Binary, err = fields(b[1:], &m.JoinRef, &m.Topic, &m.Event)
	case kindReply:
		var status string
		m.Binary, err = fields(b[1:], &m.JoinRef, &m.Ref, &m.Topic, &status)
		m.Event, m.Payload = Reply, []byte(status)
	case kindBroadcast:
		m.Binary, err = fields(b[1:], &m.Topic, &m.Event)
	default:
		return m, fmt.Errorf("binary message: no kind %d", kind)
	}
	return m, err
}

// fields reads the sizes of the fields, then the fields. rest is the bytes after them.
func fields(b []byte, to ...*string) (rest []byte, err error) {
	if len(b) < len(to) {
		return nil, errShort
	}
	sizes, b := b[:len(to)], b[len(to):]
	for i, field := range to {
		size := int(sizes[i])
		if len(b) < size {
			return nil, errShort
		}
		*field, b = string(b[:size]), b[size:]
	}
	return b, nil
}
