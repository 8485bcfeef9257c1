package phx

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/roost-rt/roost/server/secret"
)

// A Filter decides which parameters and payloads the log may show (spec §8.5).
// Hidden values appear as "[FILTERED]". The zero value hides values whose names
// mark them as secret. The log never shows a value longer than 4 KiB.
type Filter struct {
	// Discard hides everything below keys that contain one of these terms, and texts
	// with such a key followed by "=", as in a query. Case does not matter. Nil means
	// passw, secret, token, _key, apikey, api-key, authorization, cookie, otp, ssn and
	// cvv. This also hides "hotpot", as hiding too much does no harm. An empty list
	// hides nothing.
	Discard []string

	// Keep, if it is not nil, hides everything except values below keys that are
	// exactly one of these.
	Keep []string
}

const (
	filtered = "[FILTERED]"

	// maxShown is the longest payload, or connect parameters, in bytes that the log
	// shows.
	maxShown = 4 << 10
)

// Apply returns the parts of v that may be shown. v is made of maps, lists and
// texts, like the results of encoding/json and connect parameters. It is not
// changed.
func (f Filter) Apply(v any) any {
	terms := f.Discard
	if terms == nil {
		terms = secret.Terms
	}
	f.Discard = make([]string, len(terms)) // not the caller's
	for i, term := range terms {
		f.Discard[i] = strings.ToLower(term)
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
		if f.Keep == nil && f.discardsText(v) {
			return filtered
		}
	}
	if f.Keep != nil {
		return filtered
	}
	return v
}

// member returns the value of a key as it may be shown.
func (f Filter) member(key string, value any) any {
	switch {
	case f.Keep != nil && slices.Contains(f.Keep, key):
		return value
	case f.Keep == nil && f.discards(strings.ToLower(key)):
		return filtered
	}
	return f.apply(value)
}

// discards reports whether a key, in lower case, contains one of the terms.
func (f Filter) discards(key string) bool {
	return slices.ContainsFunc(f.Discard, func(term string) bool { return strings.Contains(key, term) })
}

// discardsText reports whether a text has such a key before a "=".
func (f Filter) discardsText(text string) bool {
	before, rest, found := strings.Cut(strings.ToLower(text), "=")
	for ; found; before, rest, found = strings.Cut(rest, "=") {
		if f.discards(before[strings.LastIndexAny(before, "&;?,\n")+1:]) {
			return true
		}
	}
	return false
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

// payload returns a payload as the log shows it.
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

// params returns connect parameters as the log shows them.
func (f Filter) params(p Params) json.RawMessage { return shown(f.Apply(p)) }

// shown is JSON so that handlers of text and of JSON show the same.
func shown(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil { // of maps, lists and texts: not reached
		return json.RawMessage(`"?"`)
	}
	if len(text) > maxShown {
		return shown(fmt.Sprintf("JSON of %d bytes", len(text)))
	}
	return text
}
