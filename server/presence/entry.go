package presence

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"unicode/utf8"
)

// An Entry is all presences of one key.
type Entry struct {
	// Metas are the metas of the key's presences, each with its phx_ref. The first
	// [Config.MaxMetas] are in order of age until one of them leaves; the others are in no
	// order.
	Metas []json.RawMessage

	// Fields are added beside the metas by Config.Fetch.
	Fields map[string]any
}

// MarshalJSON encodes metas and fields as one object.
func (e *Entry) MarshalJSON() ([]byte, error) {
	for name, value := range e.Fields {
		if _, err := json.Marshal(value); err != nil {
			return nil, fmt.Errorf("presence: the field %s: %w", name, err)
		}
	}
	return e.appendJSON(nil), nil
}

// appendJSON is MarshalJSON for topics of a hundred thousand.
func (e *Entry) appendJSON(b []byte) []byte {
	b = append(b, `{"metas":[`...)
	for i, m := range e.Metas {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, m...)
	}
	b = append(b, ']')
	for name, value := range e.Fields {
		text, err := json.Marshal(value)
		if name == "metas" || err != nil { // fetch has reported errors
			continue
		}
		b = append(appendString(append(b, ','), name), ':')
		b = append(b, text...)
	}
	return append(b, '}')
}

func appendString(b []byte, s string) []byte {
	text, _ := json.Marshal(s) // a string cannot fail
	return append(b, text...)
}

// A Diff is a change on a topic: presences, by key, of which clients have not
// been told. An update is a leave and a join.
type Diff struct {
	Topic         string `json:"-"`
	Joins, Leaves map[string]*Entry
	Count         int `json:"-"` // as of Presence.Count
}

// A meta is one presence of a key.
type meta struct {
	ref  string
	json json.RawMessage
}

// refBytes is the size of a ref before it becomes text.
const refBytes = 12

// newRef makes a ref, which no other presence has.
func newRef() string {
	var b [refBytes]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())
	binary.BigEndian.PutUint32(b[8:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// A body is a meta before it has its refs.
type body []byte

// encodeMeta encodes an application's meta as a JSON object without refs.
func encodeMeta(v any, limit int) (body, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("presence: the meta: %w", err)
	}
	switch {
	case len(text) > limit:
		return nil, fmt.Errorf("presence: a meta of %d bytes, more than MaxMeta (%d)", len(text), limit)
	case string(text) == "null":
		return body("{}"), nil
	case text[0] != '{':
		return nil, errors.New("presence: a meta must be a JSON object")
	case !bytes.Contains(text, []byte("phx_ref")) && !bytes.Contains(text, []byte(`\u`)):
		return text, nil
	}
	fields := map[string]json.RawMessage{} // there may be a ref, spelled with escapes or not
	if err := json.Unmarshal(text, &fields); err != nil {
		return nil, fmt.Errorf("presence: the meta: %w", err)
	}
	delete(fields, "phx_ref")
	delete(fields, "phx_ref_prev")
	return json.Marshal(fields)
}

// with is the meta with its refs, which need no escaping.
func (b body) with(ref, previous string) json.RawMessage {
	text := append(make(json.RawMessage, 0, len(b)+64), b[:len(b)-1]...)
	if len(b) > len("{}") {
		text = append(text, ',')
	}
	text = append(append(append(text, `"phx_ref":"`...), ref...), '"')
	if previous != "" {
		text = append(append(append(text, `,"phx_ref_prev":"`...), previous...), '"')
	}
	return append(text, '}')
}

// inherited are the names that every JavaScript object has.
var inherited = []string{"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"}

// checkKey refuses keys that clients or other nodes could not take.
func (p *Presence) checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("presence: an empty key")
	case len(key) > maxKey:
		return fmt.Errorf("presence: a key of %d bytes, more than %d", len(key), maxKey)
	case !utf8.ValidString(key):
		return errors.New("presence: a key that is not UTF-8")
	case !p.cfg.AnyKey && slices.Contains(inherited, key):
		return fmt.Errorf("presence: the key %s, over which JavaScript clients may fail; see Config.AnyKey", key)
	}
	return nil
}
