package phx

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"strconv"
	"strings"
)

// maxPath is the longest way to a field, in bytes, that a client is told.
const maxPath = 256

// mismatch returns the error for a client whose JSON does not have the expected form, in
// the client's words. The error of encoding/json names Go types; it is for the log.
func mismatch(text []byte, err error) error {
	var (
		told     *ReplyError // by an UnmarshalJSON or UnmarshalText of the application's
		mistaken *json.InvalidUnmarshalError
		other    *json.UnmarshalTypeError
		syntax   *json.SyntaxError
	)
	reason := "invalid payload"
	switch {
	case errors.As(err, &told), errors.As(err, &mistaken): // the latter is no client's mistake
		return err
	case errors.As(err, &other):
		if path := pathTo(text, other.Offset); path != "" {
			reason += ": " + path
		}
		reason += ": " + difference(other)
	case errors.As(err, &syntax):
		reason += ": not JSON"
	}
	return &ReplyError{Response: map[string]string{"reason": reason}, cause: err}
}

// difference says which type a value has and which it should have.
func difference(e *json.UnmarshalTypeError) string {
	found, digits, _ := strings.Cut(e.Value, " ")
	want := expected(e.Type)
	if digits != "" {
		_, err := strconv.ParseFloat(digits, 64)
		switch {
		case errors.Is(err, strconv.ErrSyntax): // the key of a map, which should be a number
			found = "string"
		case want == "a number", !strings.ContainsAny(digits, ".eE"):
			return "number out of range"
		}
	}
	if found == "bool" {
		found = "boolean"
	}
	if want == "" {
		return "unexpected " + found
	}
	return found + " where " + want + " is expected"
}

// expected returns JSON's name for a type, "" if it has no particular one.
func expected(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch {
	case t == reflect.TypeFor[json.Number]():
		return "a number"
	case reflect.PointerTo(t).Implements(reflect.TypeFor[encoding.TextUnmarshaler]()):
		return "a string"
	}
	switch v := reflect.Zero(t); {
	case v.CanInt(), v.CanUint():
		return "an integer"
	case v.CanFloat():
		return "a number"
	}
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.String:
		return "a string"
	case reflect.Struct, reflect.Map:
		return "an object"
	case reflect.Array:
		return "an array"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 { // base64
			return "a string"
		}
		return "an array"
	}
	return ""
}

// pathTo is the way to what ends at an offset in JSON text, such as "items.2.price":
// keys as the client has sent them, and indices. (That of json.UnmarshalTypeError
// has names of embedded Go types in it, and no indices.)
func pathTo(text []byte, offset int64) string {
	w := walk{tokens: json.NewDecoder(bytes.NewReader(text)), offset: offset}
	w.tokens.UseNumber()
	w.find()
	path := strings.Join(w.path, ".")
	if len(path) > maxPath {
		path = strings.ToValidUTF8(path[:maxPath], "") + "…"
	}
	return path
}

// A walk goes through JSON text.
type walk struct {
	tokens *json.Decoder
	offset int64 // where it ends
	path   []string
	failed bool
}

func (w *walk) next() json.Token {
	token, err := w.tokens.Token()
	w.failed = err != nil // what json.Unmarshal has taken is JSON: not reached
	return token
}

func (w *walk) arrived() bool { return w.failed || w.tokens.InputOffset() >= w.offset }

// find goes through one value, and reports whether the walk ends there.
func (w *walk) find() bool {
	token := w.next()
	if w.arrived() {
		return true
	}
	depth := len(w.path)
	for i := 0; (token == json.Delim('{') || token == json.Delim('[')) && w.tokens.More(); i++ {
		step := strconv.Itoa(i)
		if token == json.Delim('{') {
			step, _ = w.next().(string)
		}
		w.path = append(w.path[:depth], step)
		if w.arrived() || w.find() {
			return true
		}
	}
	w.path = w.path[:depth]
	if _, compound := token.(json.Delim); compound {
		w.next()
	}
	return w.arrived()
}
