package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestCheckUTF8(t *testing.T) {
	for _, tt := range []struct {
		payload wire.Payload
		names   []string
		want    error
	}{
		{wire.Payload{}, nil, nil},
		{wire.Payload{Data: []byte(`{"a":"ä"}`)}, []string{"räume", "€"}, nil},
		{wire.Payload{Data: []byte("{\"a\":\"\xff\"}")}, []string{"t"}, wire.ErrNotUTF8},
		{wire.Payload{Data: []byte("{\"a\":\"\xed\xa0\x80\"}")}, nil, wire.ErrNotUTF8}, // half a surrogate pair
		{wire.Payload{Data: []byte{0xff}, Binary: true}, []string{"t"}, nil},
		{wire.Payload{Data: []byte{0xff}, Binary: true}, []string{"t", "\xe2\x82"}, wire.ErrNotUTF8},
	} {
		if err := wire.CheckUTF8(tt.payload, tt.names...); !errors.Is(err, tt.want) {
			t.Errorf("CheckUTF8(%q, %q) = %v, want %v", tt.payload.Data, tt.names, err, tt.want)
		}
	}
}

// What passes can be encoded, and what does not cannot: by V2, which can encode
// everything that others can.
func TestCheckBroadcast(t *testing.T) {
	long := strings.Repeat("x", 256)
	for _, p := range []wire.Payload{
		{}, {Data: []byte(`{}`)}, {Data: []byte(" \n{}")}, {Data: []byte(`[]`)}, {Data: []byte(`7`)}, {Data: []byte{1}, Binary: true},
	} {
		for _, topic := range []string{"t", long} {
			for _, event := range []string{"e", long} {
				_, _, want := (wire.V2{}).AppendBroadcast(nil, topic, event, p)
				if err := wire.CheckBroadcast(topic, event, p); (err == nil) != (want == nil) || err != nil && err.Error() != want.Error() {
					t.Errorf("CheckBroadcast(%.9s, %.9s, %q) = %v, want %v", topic, event, p.Data, err, want)
				}
			}
		}
	}
}

func TestCheckJSON(t *testing.T) {
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for text, want := range map[string]error{
		"": nil, "{}": nil, ` {"a":[1,"x"]} `: nil, nested(10_000): nil,
		"{": wire.ErrMalformed, "{},{}": wire.ErrMalformed, `{}]`: wire.ErrMalformed, "\xff": wire.ErrMalformed, " ": wire.ErrMalformed, nested(10_001): wire.ErrMalformed,
	} {
		if err := wire.CheckJSON(wire.Payload{Data: []byte(text)}); !errors.Is(err, want) {
			t.Errorf("CheckJSON(%.20q) = %v, want %v", text, err, want)
		}
	}
	if err := wire.CheckJSON(wire.Payload{Data: []byte("\xff"), Binary: true}); err != nil {
		t.Errorf("CheckJSON of a binary payload = %v", err)
	}
}
