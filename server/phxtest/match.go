package phxtest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// Any, given for a payload, fits all of them.
func Any(Message) bool { return true }

// Where fits payloads that decode into a T and that fits accepts:
//
//	room.ExpectPush("score", phxtest.Where(func(s Score) bool { return s.Points > 9 }))
func Where[T any](fits func(T) bool) func(Message) bool {
	return func(m Message) bool {
		var v T
		return json.Unmarshal(m.JSON, &v) == nil && fits(v)
	}
}

// A want describes an expected payload.
type want struct {
	text string // for people
	fits func(Message) bool
}

// newWant understands the last argument of an expectation.
func newWant(t testing.TB, v any) want {
	t.Helper()
	switch v := v.(type) {
	case func(Message) bool:
		return want{"with a payload that fits", v}
	case phx.Binary:
		return want{body{v, true}.String(), func(m Message) bool { return m.Binary != nil && bytes.Equal(m.Binary, v) }}
	}
	b := encode(t, v)
	value, err := decodeNumbers(b.data)
	if err != nil {
		t.Fatalf("the wanted payload %v encodes as %s: %v", v, b.data, err)
	}
	return want{b.String(), func(m Message) bool {
		got, err := decodeNumbers(m.JSON)
		return err == nil && reflect.DeepEqual(got, value)
	}}
}

// decodeNumbers decodes JSON without rounding large numbers.
func decodeNumbers(text []byte) (v any, err error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	err = d.Decode(&v)
	return v, err
}

// A body is a payload on its way.
type body struct {
	data   []byte
	binary bool
}

// encode makes a body as package phx does.
func encode(t testing.TB, v any) body {
	t.Helper()
	switch v := v.(type) {
	case nil:
		return body{data: []byte("{}")}
	case phx.Binary:
		return body{v, true}
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encode payload: %v", err)
	}
	return body{data: data}
}

func (b body) String() string {
	if b.binary {
		return fmt.Sprintf("binary %q", b.data)
	}
	return string(b.data)
}
