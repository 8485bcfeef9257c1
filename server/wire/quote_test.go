package wire_test

import (
	"encoding/json"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/wire"
)

func TestAppendString(t *testing.T) {
	tests := []struct{ topic, want string }{
		{"", `""`},
		{"room:a", `"room:a"`},
		{"t:é😀", `"t:é😀"`},
		{`say "hi" \o/`, `"say \"hi\" \\o/"`},
		{"\n\r\t", `"\n\r\t"`},
		{"\x00\b\f\x1f\x7f", `"\u0000\u0008\u000c\u001f` + "\x7f" + `"`},
		{"<a&b>\u2028", `"<a&b>` + "\u2028" + `"`},             // no escapes for HTML
		{"a\xffb\xc3", `"a` + "\uFFFD" + "b" + "\uFFFD" + `"`}, // not UTF-8
		{"\uFFFD", `"` + "\uFFFD" + `"`},                       // as good as any rune
		{"\xed\xa0\x80", `"` + "\uFFFD\uFFFD\uFFFD" + `"`},     // a surrogate
		{"é\"\xff\"é", `"é\"` + "\uFFFD" + `\"é"`},             // all at once
	}
	for _, tt := range tests {
		got := result(wire.V2{}.AppendBroadcast(nil, tt.topic, "e", wire.Payload{}))
		if want := (appended{out: "[null,null," + tt.want + `,"e",{}]`}); got != want {
			t.Errorf("topic %q: got %+v, want %+v", tt.topic, got, want)
		}
	}
}

// Any Go string, as topic, event or status, gives valid JSON that holds it.
func FuzzAppendString(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		out, _, err := wire.V2{}.AppendReply(nil, "", "", s, s, wire.Payload{})
		if err != nil || !json.Valid(out) || !utf8.Valid(out) {
			t.Fatalf("AppendReply(%q) = %q, %v, want valid JSON", s, out, err)
		}
		if got, want := decode(t, wire.V2{}, out, false).Topic, string([]rune(s)); got != want {
			t.Errorf("topic %q became %q, want %q", s, got, want)
		}
	})
}
