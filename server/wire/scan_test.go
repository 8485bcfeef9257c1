package wire_test

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/wire"
)

// Whatever the payload, we and encoding/json agree on whether it is JSON.
func TestScanGrammar(t *testing.T) {
	tests := []string{
		"0", "-0", "7", "1234567890", "-1.50", "1e5", "1E+5", "1.0e-05", "0e0",
		"", "-", "01", "-01", "+1", ".5", "1.", "1.e5", "1e", "1e+", "1e-", "1ee5", "0x1", "1 2", "NaN", "Infinity",
		"true", "false", "null", "tru", "truex", "True", "nul", "f", "nullnull",
		`""`, `"a"`, `"é😀"`, `"\"\\\/\b\f\n\r\t"`, `"\u00e9\uD83D\uDE00"`, `"\ud83d"`, "\"\x7f\"",
		`"`, `"\"`, `"\x"`, `"\u"`, `"\u12"`, `"\u123g"`, `"\u12 4"`, `"\U1234"`, `'a'`, `"a""b"`,
		"\"\x00\"", "\"\t\"", "\"\n\"", "\"\x0b\"", "\"\x1f\"",
		"[]", "[ ]", "[1]", "[1,2]", "[[],[[]],{}]", "[ 1 , 2 ]",
		"[", "]", "[1", "[1,", "[,]", "[1,]", "[,1]", "[1 2]", "[1}", "[1]]",
		"{}", "{ }", `{"a":1}`, `{"a":1,"b":{"a":[]}}`, `{ "a" : 1 , "a" : 2 }`, `{"":""}`,
		"{", "}", `{"a"}`, `{"a":}`, `{"a":1,}`, `{,}`, `{,"a":1}`, `{"a":1 "b":2}`, `{a:1}`, `{1:1}`, `{"a" 1}`, `{"a":1]`, `{"a"::1}`, `{null:1}`,
		" \t\r\n1 \t\r\n", "\v1", "\f1", "\u00a01", "//1", "/**/1",
	}
	for _, payload := range tests {
		_, err := wire.V2{}.Decode([]byte(`["11","22","t","e",`+payload+`]`), false)
		if want := json.Valid([]byte(payload)); want != (err == nil) {
			t.Errorf("payload %q: %v, want valid %v", payload, err, want)
		}
	}
}

// Strings are scanned eight bytes at a time: every byte is tried in every place
// of a group, and behind it.
func TestScanStrings(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	for length := range 20 {
		for at := range length {
			for c := range 256 {
				text := bytes.Repeat([]byte{'~'}, length)
				text[at] = byte(c)
				payload := slices.Concat([]byte{'"'}, text, []byte{'"'})
				_, err := wire.V1{}.Decode(slices.Concat([]byte(`{"topic":"t","event":"e","ref":"1","payload":`), payload, []byte{'}'}), false)
				if want := json.Valid(payload) && utf8.Valid(payload); want != (err == nil) {
					t.Fatalf("payload %q: %v, want valid %v", payload, err, want)
				}
			}
		}
	}
}

// Appending to one part of a message leaves the bytes after it alone.
func TestDecodeCapsParts(t *testing.T) {
	for _, tt := range []struct {
		data   string
		binary bool
	}{
		{`["11","22",[7],"e",{}]`, false},
		{"\x00\x00\x00\x01\x01" + "te" + "d", true},
	} {
		buf := []byte(tt.data + " more")
		m := decode(t, wire.V2{}, buf[:len(tt.data)], tt.binary)
		_ = append(m.Payload.Data, '!')
		_ = append(m.RawTopic, '!')
		if want := tt.data + " more"; string(buf) != want {
			t.Errorf("appending changed %q to %q", want, buf)
		}
	}
}
