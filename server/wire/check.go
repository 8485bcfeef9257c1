package wire

import (
	"fmt"
	"unicode/utf8"
)

// CheckUTF8 returns ErrNotUTF8 if one of the names that go with a payload is not
// UTF-8, or the payload itself, unless it is binary. The Append methods paste
// payloads as they are.
func CheckUTF8(p Payload, names ...string) error {
	for _, name := range names {
		if !utf8.ValidString(name) {
			return fmt.Errorf("%w: topic, event or status", ErrNotUTF8)
		}
	}
	if !p.Binary && !utf8.Valid(p.Data) {
		return fmt.Errorf("%w: payload", ErrNotUTF8)
	}
	return nil
}

// CheckBroadcast returns the error that V2 would have for a broadcast, without
// encoding it: ErrPayloadNotMap or, for a binary one, ErrFieldTooLong.
func CheckBroadcast(topic, event string, p Payload) error {
	switch {
	case p.Binary:
		return checkFields(topic, event)
	case !p.isMap():
		return ErrPayloadNotMap
	}
	return nil
}

// CheckJSON returns ErrMalformed unless the payload is binary, empty, or one JSON
// value. It is for payloads that were not decoded here. They may be nested as
// deeply as encoding/json writes them.
func CheckJSON(p Payload) error {
	if p.Binary || len(p.Data) == 0 {
		return nil
	}
	s := scanner{text: p.Data, depth: maxDepth - 10_000}
	if !s.value() || !s.atEnd() {
		return malformed("payload: invalid JSON at byte %d", s.pos)
	}
	return nil
}

// checkFields returns ErrFieldTooLong if one does not fit into a binary frame.
func checkFields(fields ...string) error {
	for _, f := range fields {
		if len(f) > 255 {
			return fmt.Errorf("%w: %d bytes", ErrFieldTooLong, len(f))
		}
	}
	return nil
}
