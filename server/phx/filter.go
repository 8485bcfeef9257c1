package phx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Filter says what parameters and payloads the log may show (spec §8.5). What
// it may not show is "[FILTERED]" there. The zero value hides passwords and
// tokens.
type Filter struct {
	// Discard hides all below keys that contain one of these terms, and texts
	// with one and "=" behind it, as in a query. Case matters. Nil means
	// "password" and "token"; an empty list hides nothing.
	Discard []string

	// Keep, if it is not nil, hides everything but what is below keys that are
	// exactly one of these.
	Keep []string
}

const (
	filtered = "[FILTERED]"

	// maxShown is the longest payload in bytes that the log shows.
	maxShown = 16 << 10
)

// Apply returns what may be shown of a value that is made of maps, lists and
// texts, as encoding/json and connect parameters have them. v is not changed.
func (f Filter) Apply(v any) any {
	if f.Discard == nil {
		f.Discard = []string{"password", "token"}
	}
	return f.apply(v)
}

func (f Filter) apply(v any) any {
	switch v := v.(type) {
	case Params:
		return f.apply(map[string]any(v))
	case map[string]any:
		shown := make(map[string]any, len(v))
		for key, value := range v {
			shown[key] = f.member(key, value)
		}
		return shown
	case []any:
		shown := make([]any, len(v))
		for i, value := range v {
			shown[i] = f.apply(value)
		}
		return shown
	case string:
		if f.Keep == nil && slices.ContainsFunc(f.Discard, func(term string) bool { return strings.Contains(v, term+"=") }) {
			return filtered
		}
	}
	if f.Keep != nil {
		return filtered
	}
	return v
}

// member is what is shown of the value of a key.
func (f Filter) member(key string, value any) any {
	switch {
	case f.Keep != nil && slices.Contains(f.Keep, key):
		return value
	case f.Keep == nil && slices.ContainsFunc(f.Discard, func(term string) bool { return strings.Contains(key, term) }):
		return filtered
	}
	return f.apply(value)
}

// check finds what is wrong with f.
func (f Filter) check() error {
	switch {
	case f.Keep != nil && f.Discard != nil:
		return errors.New("Filter has both Discard and Keep: which of them is to decide?")
	case slices.Contains(f.Discard, ""):
		return errors.New("Filter.Discard has an empty term, which every key contains: drop it, or set Keep to an empty list to hide everything")
	}
	return nil
}

// payload is what the log shows of a payload.
func (f Filter) payload(p Payload) json.RawMessage {
	data := p.JSON()
	switch {
	case data == nil:
		return shown(fmt.Sprintf("%d bytes", len(p.body.Data)))
	case len(data) > maxShown:
		return shown(fmt.Sprintf("JSON of %d bytes", len(data)))
	}
	var v any
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber() // ids of 64 bits stay as they are
	if d.Decode(&v) != nil {
		return shown(fmt.Sprintf("malformed JSON of %d bytes", len(data)))
	}
	return shown(f.Apply(v))
}

// params is what the log shows of connect parameters.
func (f Filter) params(p Params) json.RawMessage { return shown(f.Apply(p)) }

// shown is JSON so that handlers of text and of JSON show the same.
func shown(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil { // of maps, lists and texts: not reached
		return json.RawMessage(`"?"`)
	}
	return text
}
