package presence

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
)

// An Entry is all presences of one key.
type Entry struct {
	// Metas are theirs, each with its phx_ref. Who came first is first.
	Metas []json.RawMessage

	// Fields are what Config.Fetch adds beside them.
	Fields map[string]any
}

// MarshalJSON makes one object of metas and fields.
func (e *Entry) MarshalJSON() ([]byte, error) {
	all := map[string]any{}
	maps.Copy(all, e.Fields)
	all["metas"] = e.Metas
	return json.Marshal(all)
}

// A Diff is what has changed on a topic: presences, by key, that clients have not been
// told of. An update is a leave and a join.
type Diff struct {
	Topic         string `json:"-"`
	Joins, Leaves map[string]*Entry
	Count         int `json:"-"` // of keys, or of presences if only they are counted
}

// A meta is one presence of a key.
type meta struct {
	ref  string
	json json.RawMessage
}

// newRef makes what tells one presence from all others.
func newRef() string {
	var b [12]byte
	binary.BigEndian.PutUint64(b[:], rand.Uint64())
	binary.BigEndian.PutUint32(b[8:], rand.Uint32())
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// encodeMeta makes JSON of what an application gives as a meta, with the refs in it.
func encodeMeta(v any, ref, previous string, limit int) (json.RawMessage, error) {
	text, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("presence: the meta: %w", err)
	}
	if len(text) > limit {
		return nil, fmt.Errorf("presence: a meta of %d bytes, more than MaxMeta (%d)", len(text), limit)
	}
	fields := map[string]json.RawMessage{}
	if string(text) != "null" {
		if err := json.Unmarshal(text, &fields); err != nil {
			return nil, errors.New("presence: a meta must be a JSON object")
		}
	}
	delete(fields, "phx_ref_prev")
	fields["phx_ref"] = quote(ref)
	if previous != "" {
		fields["phx_ref_prev"] = quote(previous)
	}
	return json.Marshal(fields)
}

// quote makes JSON of a ref, which has nothing to escape.
func quote(ref string) json.RawMessage { return json.RawMessage(`"` + ref + `"`) }

// inherited are the names that every object of JavaScript has.
var inherited = []string{"__proto__", "__defineGetter__", "__defineSetter__", "__lookupGetter__", "__lookupSetter__",
	"constructor", "hasOwnProperty", "isPrototypeOf", "propertyIsEnumerable", "toLocaleString", "toString", "valueOf"}

// checkKey finds what is wrong with a key.
func (p *Presence) checkKey(key string) error {
	switch {
	case key == "":
		return errors.New("presence: an empty key")
	case len(key) > maxKey:
		return fmt.Errorf("presence: a key of %d bytes, more than %d", len(key), maxKey)
	case !p.cfg.AnyKey && slices.Contains(inherited, key):
		return fmt.Errorf("presence: the key %s, over which JavaScript clients may fail; see Config.AnyKey", key)
	}
	return nil
}
