package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"time"
)

// A Scope holds the values of the expressions of a template, for one user at one time.
type Scope struct {
	Script *Script
	N      int // number of the user, from 1 on
	Round  int // of the user, from 1 on
	Saved  map[string]json.RawMessage
	Stamp  []byte // of the message; nil where there is none
}

// Text is the value of a text.
func (s *Scope) Text(t Text) (string, error) {
	text, err := s.append(nil, t.parts)
	return string(text), err
}

// JSON is the value of a payload, {} for an empty one.
func (s *Scope) JSON(p Payload) (json.RawMessage, error) {
	if p.Empty() {
		return json.RawMessage("{}"), nil
	}
	return s.append(nil, p.parts)
}

func (s *Scope) append(dst []byte, parts []part) ([]byte, error) {
	for _, p := range parts {
		if p.expr == nil {
			dst = append(dst, p.literal...)
			continue
		}
		value, err := s.value(p.expr)
		if err != nil {
			return nil, err
		}
		if p.expr.quoted {
			text := quoted(value)
			value = string(text[1 : len(text)-1])
		}
		dst = append(dst, value...)
	}
	return dst, nil
}

func (s *Scope) value(e *expr) (string, error) {
	value, err := s.lookUp(e)
	if err != nil {
		return "", err
	}
	switch e.filter {
	case "number":
		if _, err := strconv.ParseFloat(value, 64); err != nil || !json.Valid([]byte(value)) {
			return "", fmt.Errorf("line %d: {{%s}} is %q, which is no number", e.line, e.source, value)
		}
	case "json":
		if !json.Valid([]byte(value)) {
			return "", fmt.Errorf("line %d: {{%s}} is %q, which is no JSON", e.line, e.source, value)
		}
	}
	return value, nil
}

func (s *Scope) lookUp(e *expr) (string, error) {
	switch e.name {
	case "n":
		return strconv.Itoa(s.N), nil
	case "round":
		return strconv.Itoa(s.Round), nil
	case "now":
		return strconv.FormatInt(time.Now().UnixMilli(), 10), nil
	case "uuid": // RFC 9562 §5.4, version 4
		a, b := rand.Uint64(), rand.Uint64()
		return fmt.Sprintf("%08x-%04x-4%03x-%04x-%012x", a>>32, a>>16&0xffff, a&0xfff, b>>48&0x3fff|0x8000, b&0xffffffffffff), nil
	case "random":
		if e.bounds == nil {
			return strconv.FormatInt(int64(rand.Int32()), 10), nil
		}
		return strconv.FormatInt(e.bounds[0]+rand.Int64N(e.bounds[1]-e.bounds[0]+1), 10), nil
	case "stamp":
		return string(s.Stamp), nil
	case "env":
		return s.Script.env[e.field], nil
	case "user":
		return s.Script.column(s.N, e.field), nil
	}
	raw, ok := s.Saved[e.field]
	if !ok {
		return "", fmt.Errorf("line %d: {{%s}}: no reply was saved under that name yet", e.line, e.source)
	}
	var text string
	if json.Unmarshal(raw, &text) == nil && e.filter != "json" {
		return text, nil
	}
	return string(raw), nil
}

// Matches reports whether JSON is as wanted: an object must have the wanted fields and may
// have more, any other value must be equal.
func Matches(got, want json.RawMessage) bool {
	a, errA := exactly(got)
	b, errB := exactly(want)
	return errA == nil && errB == nil && matches(a, b)
}

// exactly is a value of JSON with all digits of its numbers.
func exactly(text json.RawMessage) (v any, err error) {
	if !json.Valid(text) { // a decoder would pass over what follows the value
		return nil, errors.New("no JSON")
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	err = decoder.Decode(&v)
	return v, err
}

func matches(got, want any) bool {
	switch want := want.(type) {
	case map[string]any:
		got, ok := got.(map[string]any)
		for key := range want {
			value, has := got[key]
			ok = ok && has && matches(value, want[key])
		}
		return ok
	case []any:
		got, ok := got.([]any)
		ok = ok && len(got) == len(want)
		for i := range want {
			ok = ok && matches(got[i], want[i])
		}
		return ok
	case json.Number:
		got, ok := got.(json.Number)
		return ok && equal(got, want)
	}
	return got == want
}

// equal compares whole numbers digit by digit, as ids of twenty digits need it, and
// others by value: 1.0 is 1.
func equal(a, b json.Number) bool {
	x, errX := strconv.ParseInt(a.String(), 10, 64)
	y, errY := strconv.ParseInt(b.String(), 10, 64)
	if errX == nil && errY == nil {
		return x == y
	}
	f, errF := a.Float64()
	g, errG := b.Float64()
	return a == b || errF == nil && errG == nil && f == g
}

// Field returns the field at a path such as room.id, in JSON.
func Field(in json.RawMessage, path []string) (json.RawMessage, bool) {
	for _, name := range path {
		var fields map[string]json.RawMessage
		if json.Unmarshal(in, &fields) != nil {
			return nil, false
		}
		var ok bool
		if in, ok = fields[name]; !ok {
			return nil, false
		}
	}
	return in, true
}
