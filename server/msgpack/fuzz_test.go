package msgpack_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"reflect"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/msgpack"
	"github.com/roost-rt/roost/server/wire"
)

// The seeds are in testdata/fuzz.

// FuzzDecode: whatever decodes is good JSON of bounded length, and once encoded
// it decodes to what encodes the same.
func FuzzDecode(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := msgpack.Serializer{}.Decode(data, true)
		if err != nil {
			if !errors.Is(err, wire.ErrMalformed) {
				t.Fatalf("Decode(%q) = %v, want ErrMalformed", data, err)
			}
			return
		}
		if clone := m.Clone(); !reflect.DeepEqual(clone, m) {
			t.Errorf("Clone = %+v, want %+v", clone, m)
		}
		for _, part := range []string{string(m.JoinRef), string(m.Ref), m.Topic, m.Event} {
			if !utf8.ValidString(part) {
				t.Errorf("Decode(%q) = %+v: %q is not UTF-8", data, m, part)
			}
		}
		if !m.Payload.Binary {
			if !json.Valid(m.Payload.Data) || !utf8.Valid(m.Payload.Data) {
				t.Errorf("Decode(%q): payload %q is not JSON", data, m.Payload.Data)
			}
			if got, most := len(m.Payload.Data), 6*len(data); got > most {
				t.Errorf("Decode(%q): payload of %d bytes, want at most %d", data, got, most)
			}
		}
		once := reply(t, m)
		again := decode(t, once)
		if again.JoinRef != m.JoinRef || again.Ref != m.Ref || again.Topic != m.Topic {
			t.Errorf("reply %+v to %+v", again, m)
		}
		if m.Payload.Binary {
			return // inside of the reply it is a string
		}
		m.Payload = response(t, again.Payload)
		if twice := reply(t, m); !bytes.Equal(once, twice) {
			t.Errorf("Decode(%q), encoded: %q; decoded and encoded again: %q", data, once, twice)
		}
	})
}

// FuzzJSON: a payload comes out of MessagePack as it went in, to those who read
// its numbers as JavaScript does.
func FuzzJSON(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		if !json.Valid(text) || !utf8.Valid(text) {
			return
		}
		var want any
		if json.Unmarshal(text, &want) != nil {
			return // a number without end, or brackets
		}
		m := wire.Message{Payload: wire.Payload{Data: text}}
		got := decode(t, reply(t, m)).Payload
		var read any
		if err := json.Unmarshal(response(t, got).Data, &read); err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(read, want) {
			t.Errorf("payload %s came out as %s", text, got.Data)
		}
	})
}

// reply answers m with its own payload.
func reply(t *testing.T, m wire.Message) []byte {
	t.Helper()
	out, binary, err := msgpack.Serializer{}.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload)
	if err != nil || !binary {
		t.Fatalf("AppendReply of %+v = %v, %v", m, binary, err)
	}
	return out
}

// response is the payload inside of a reply.
func response(t *testing.T, p wire.Payload) wire.Payload {
	t.Helper()
	var body struct{ Response json.RawMessage }
	if err := json.Unmarshal(p.Data, &body); err != nil {
		t.Fatalf("payload of a reply %s: %v", p.Data, err)
	}
	return wire.Payload{Data: body.Response}
}
