package token_test

import (
	"encoding/hex"
	"errors"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/token"
)

// TestTerms holds terms as term_to_binary of Erlang/OTP 25 makes them, and the
// two atoms of OTP 26. Where Erlang has another spelling than ours, ours is in
// the second column.
func TestTerms(t *testing.T) {
	for _, tt := range []struct {
		erlang, ours string
		term         any
	}{
		{"83 61 00", "", int64(0)},
		{"83 61 2a", "", int64(42)},
		{"83 61 ff", "", int64(255)},
		{"83 62 00 00 01 00", "", int64(256)},
		{"83 62 ff ff ff ff", "", int64(-1)},
		{"83 62 7f ff ff ff", "", int64(math.MaxInt32)},
		{"83 6e 04 01 00 00 00 80", "83 62 80 00 00 00", int64(math.MinInt32)},
		{"83 6e 04 00 00 00 00 80", "", int64(1 << 31)},
		{"83 6e 06 00 00 68 e5 cf 8b 01", "", int64(1700000000000)},
		{"83 6e 08 00 ff ff ff ff ff ff ff 7f", "", int64(math.MaxInt64)},
		{"83 6e 08 01 00 00 00 00 00 00 00 80", "", int64(math.MinInt64)},
		{"83 46 3f f8 00 00 00 00 00 00", "", 1.5},
		{"83 6d 00 00 00 00", "", ""},
		{"83 6d 00 00 00 02 c3 a9", "", "é"},
		{"83 77 04 74 72 75 65", "", true},
		{"83 64 00 04 74 72 75 65", "83 77 04 74 72 75 65", true},
		{"83 64 00 05 66 61 6c 73 65", "83 77 05 66 61 6c 73 65", false},
		{"83 64 00 03 6e 69 6c", "83 77 03 6e 69 6c", nil},
		{"83 77 02 c3 a9", "", token.Atom("é")},
		{"83 64 00 01 e9", "83 77 02 c3 a9", token.Atom("é")},
		{"83 6a", "", []any{}},
		{"83 6b 00 03 61 62 63", "83 6c 00 00 00 03 61 61 61 62 61 63 6a", []any{int64('a'), int64('b'), int64('c')}},
		{"83 6c 00 00 00 03 61 01 61 02 62 00 00 01 2c 6a", "", []any{int64(1), int64(2), int64(300)}},
		{"83 68 00", "", token.Tuple{}},
		{"83 68 02 64 00 04 75 73 65 72 61 2a", "83 68 02 77 04 75 73 65 72 61 2a", token.Tuple{token.Atom("user"), int64(42)}},
		{"83 74 00 00 00 00", "", map[string]any{}},
		{"83 74 00 00 00 01 64 00 02 69 64 61 07", "83 74 00 00 00 01 6d 00 00 00 02 69 64 61 07", map[string]any{"id": int64(7)}},
		{
			"83 74 00 00 00 02 6d 00 00 00 01 61 6a 6d 00 00 00 01 62 61 01", "",
			map[string]any{"b": int64(1), "a": []any{}},
		},
	} {
		got, err := token.Decode(fromHex(t, tt.erlang))
		if !reflect.DeepEqual(got, tt.term) || err != nil {
			t.Errorf("Decode(%s) = %#v, %v, want %#v", tt.erlang, got, err, tt.term)
		}
		want := tt.ours
		if want == "" {
			want = tt.erlang
		}
		encoded, err := token.Encode(tt.term)
		if string(encoded) != string(fromHex(t, want)) || err != nil {
			t.Errorf("Encode(%#v) = % x, %v, want %s", tt.term, encoded, err, want)
		}
	}
}

func TestDecodeErrors(t *testing.T) {
	deep := func(n int) string { return "83 " + strings.Repeat("68 01 ", n-1) + "6a" }
	if got, err := token.Decode(fromHex(t, deep(token.MaxDepth))); err != nil {
		t.Errorf("Decode of %d levels = %v, %v, want success", token.MaxDepth, got, err)
	}
	for _, tt := range []struct{ name, data string }{
		{"empty", ""},
		{"version only", "83"},
		{"other version", "82 61 2a"},
		{"unknown tag", "83 00"},
		{"trailing byte", "83 61 2a 00"},
		{"too deep", deep(token.MaxDepth + 1)},
		{"compressed", "83 50 00 00 00 02 78 9c 4b d4 02 00 00 f5 00 8c"},
		{"small integer cut", "83 61"},
		{"integer cut", "83 62 00 00 00"},
		{"big cut", "83 6e 02 00 01"},
		{"2^63", "83 6e 08 00 00 00 00 00 00 00 00 80"},
		{"-2^63-1", "83 6e 08 01 01 00 00 00 00 00 00 80"},
		{"nine bytes", "83 6e 09 00 01 00 00 00 00 00 00 00 00"},
		{"sign of two", "83 6e 01 02 01"},
		{"float cut", "83 46 3f f8"},
		{"infinity", "83 46 7f f0 00 00 00 00 00 00"},
		{"not a number", "83 46 7f f8 00 00 00 00 00 01"},
		{"binary cut", "83 6d 00 00 00 02 61"},
		{"binary of 4 GiB", "83 6d ff ff ff ff 61"},
		{"list of 4 Gi terms", "83 6c ff ff ff ff 61 01"},
		{"map of 4 Gi pairs", "83 74 ff ff ff ff 6d 00 00 00 00 61 01"},
		{"byte list cut", "83 6b 00 02 61"},
		{"list without end", "83 6c 00 00 00 01 61 01"},
		{"improper list", "83 6c 00 00 00 01 61 01 61 02"},
		{"improper list inside", "83 68 02 6c 00 00 00 01 61 01 61 61 02"},
		{"tuple cut", "83 68 02 61 01"},
		{"map without value", "83 74 00 00 00 01 6d 00 00 00 00"},
		{"map with number as key", "83 74 00 00 00 01 61 01 61 02"},
		{"map with nil as key", "83 74 00 00 00 01 77 03 6e 69 6c 61 02"},
		{"map with list as key", "83 74 00 00 00 01 6a 61 02"},
		{"map with key as atom and text", "83 74 00 00 00 02 77 01 61 61 01 6d 00 00 00 01 61 61 02"},
		{"atom of bad UTF-8", "83 77 01 e9"},
		{"atom too long", "83 64 01 00" + strings.Repeat(" 61", 256)},
		{"too long", "83 6d 00 01 00 00" + strings.Repeat("00", 1<<16)},
		{"pid", "83 58 64 00 01 61 00 00 00 60 00 00 00 00 00 00 00 00"},
		{"bit string", "83 4d 00 00 00 01 03 20"},
	} {
		got, err := token.Decode(fromHex(t, tt.data))
		if got != nil || !errors.Is(err, token.ErrTerm) {
			t.Errorf("%s: Decode(%.60s) = %v, %v, want ErrTerm", tt.name, tt.data, got, err)
		}
	}
}

func TestEncodeErrors(t *testing.T) {
	deep := any([]any{})
	for range token.MaxDepth - 1 {
		deep = []any{deep}
	}
	if _, err := token.Encode(deep); err != nil {
		t.Errorf("Encode of %d levels = %v, want success", token.MaxDepth, err)
	}
	endless := []any{nil, nil}
	endless[0], endless[1] = endless, endless
	wide := any("x")
	for range token.MaxDepth - 2 { // as short in memory as 2^62 is long
		wide = []any{wide, wide}
	}
	for _, tt := range []struct {
		name string
		term any
	}{
		{"struct", struct{}{}},
		{"struct inside", map[string]any{"a": []any{token.Tuple{struct{}{}}}}},
		{"infinity", math.Inf(1)},
		{"not a number", math.NaN()},
		{"atom too long", token.Atom(strings.Repeat("a", 256))},
		{"atom of bad UTF-8", token.Atom("\xe9")},
		{"tuple too long", make(token.Tuple, 256)},
		{"text too long", strings.Repeat("x", token.MaxTerm)},
		{"too deep", token.Tuple{deep}},
		{"slice that holds itself", endless},
		{"slices that multiply", wide},
	} {
		if got, err := token.Encode(tt.term); !errors.Is(err, token.ErrTerm) {
			t.Errorf("%s: Encode = %.20q, %v, want ErrTerm", tt.name, got, err)
		}
	}
}

// TestEncodeOneWay has the types that come back as others.
func TestEncodeOneWay(t *testing.T) {
	for _, tt := range []struct{ in, out any }{
		{42, int64(42)},
		{[]byte("ab"), "ab"},
		{token.Atom("true"), true},
		{token.Atom("nil"), nil},
		{[]any(nil), []any{}},
		{map[string]any(nil), map[string]any{}},
	} {
		data, err := token.Encode(tt.in)
		if err != nil {
			t.Fatalf("Encode(%#v) = %v", tt.in, err)
		}
		if got, err := token.Decode(data); !reflect.DeepEqual(got, tt.out) || err != nil {
			t.Errorf("Decode(Encode(%#v)) = %#v, %v, want %#v", tt.in, got, err, tt.out)
		}
	}
}

func fromHex(t *testing.T, text string) []byte {
	t.Helper()
	data, err := hex.DecodeString(strings.ReplaceAll(text, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return data
}
