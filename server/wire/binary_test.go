package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestBinaryDecode(t *testing.T) {
	tests := []struct {
		name string
		data string
		want show
	}{
		{
			"spec §2.3",
			"\x00" + "\x01" + "\x01" + "\x06" + "\x03" + // kind, sizes of:
				"1" + "2" + "room:a" + "bin" + // join ref, ref, topic, event
				"\x01\x02\x03", // data
			show{JoinRef: `"1"`, Ref: `"2"`, Topic: "room:a", Event: "bin", Payload: "\x01\x02\x03", Binary: true},
		},
		{
			"appendix B: sizes count bytes",
			"\x00\x01\x01\x04\x02" + "\x33" + "\x34" + "\x74\x3a\xc3\xa9" + "\x65\x76" + "\x01\x02",
			show{JoinRef: `"3"`, Ref: `"4"`, Topic: "t:é", Event: "ev", Payload: "\x01\x02", Binary: true},
		},
		{
			"no refs",
			"\x00\x00\x00\x01\x01" + "te",
			show{Topic: "t", Event: "e", Binary: true},
		},
		{
			"no join ref",
			"\x00\x00\x02\x01\x01" + "22te" + "\xff",
			show{Ref: `"22"`, Topic: "t", Event: "e", Payload: "\xff", Binary: true},
		},
		{
			"refs that need escapes",
			"\x00\x02\x03\x01\x01" + `1"` + "\\\n\x01" + "te",
			show{JoinRef: `"1\""`, Ref: `"\\\n\u0001"`, Topic: "t", Event: "e", Binary: true},
		},
		{
			"heartbeat", // spec §1.9: works on binary frames too
			"\x00\x00\x02\x07\x09" + "22" + "phoenix" + "heartbeat" + "{}",
			show{Ref: `"22"`, Topic: "phoenix", Event: "heartbeat", Payload: "{}", Binary: true},
		},
		{
			"longest fields",
			"\x00\xff\xff\xff\xff" + strings.Repeat("j", 255) + strings.Repeat("r", 255) + strings.Repeat("t", 255) + strings.Repeat("e", 255) + "d",
			show{JoinRef: `"` + strings.Repeat("j", 255) + `"`, Ref: `"` + strings.Repeat("r", 255) + `"`, Topic: strings.Repeat("t", 255), Event: strings.Repeat("e", 255), Payload: "d", Binary: true},
		},
	}
	for _, tt := range tests {
		if got := shown(decode(t, wire.V2{}, []byte(tt.data), true)); got != tt.want {
			t.Errorf("%s: Decode(%q) = %+v, want %+v", tt.name, tt.data, got, tt.want)
		}
	}
}

func TestBinaryDecodeMalformed(t *testing.T) {
	tests := []string{
		"",
		"\x00",
		"\x00\x00\x00\x00",                            // header cut
		"\x01\x01\x01\x06\x0212room:aok\x01",          // a reply
		"\x02\x06\x05room:abinbc\x05\x06",             // a broadcast
		"\x03\x00\x00\x00\x00",                        // unknown kind
		"\x00\x02\x00\x00\x00j",                       // join ref beyond the end
		"\x00\x01\x02\x00\x00jr",                      // ref beyond the end
		"\x00\x01\x01\x02\x00jrt",                     // topic beyond the end
		"\x00\x01\x01\x01\x02jrte",                    // event beyond the end
		"\x00\xff\xff\xff\xff",                        // all of them
		"\x00\x01\x00\x00\x00\xff",                    // join ref not UTF-8
		"\x00\x00\x01\x00\x00\xff",                    // ref not UTF-8
		"\x00\x00\x00\x01\x00\xff",                    // topic not UTF-8
		"\x00\x00\x00\x00\x01\xff",                    // event not UTF-8
		"\x00\x00\x00\x01\x01\xc3\xa9",                // one rune across two fields
		`["11","22","room:a","echo",{}]`,              // JSON in a binary frame
		`{"topic":"t","event":"e","payload":{},"r":1`, // the same of version 1
	}
	for _, data := range tests {
		if m, err := (wire.V2{}).Decode([]byte(data), true); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Decode(%q) = %+v, %v, want ErrMalformed", data, m, err)
		}
	}
}

func TestBinaryAppend(t *testing.T) {
	var s wire.V2
	bin := func(data string) wire.Payload { return wire.Payload{Data: []byte(data), Binary: true} }
	tests := []struct {
		name string
		got  appended
		want string // kind, sizes, fields, data
	}{
		{
			"push, spec §2.3",
			result(s.AppendPush(nil, `"1"`, "room:a", "binpush", bin("\x01\x02"))),
			"\x00\x01\x06\x07" + "\x31" + "\x72\x6f\x6f\x6d\x3a\x61" + "\x62\x69\x6e\x70\x75\x73\x68" + "\x01\x02",
		},
		{
			"broadcast, spec §2.3",
			result(s.AppendBroadcast(nil, "room:a", "binbc", bin("\x05\x06"))),
			"\x02\x06\x05" + "\x72\x6f\x6f\x6d\x3a\x61" + "\x62\x69\x6e\x62\x63" + "\x05\x06",
		},
		{
			"reply, spec §2.3",
			result(s.AppendReply(nil, `"1"`, `"2"`, "room:a", "ok", bin("\x01\x02\x03\xff"))),
			"\x01\x01\x01\x06\x02" + "\x31" + "\x32" + "\x72\x6f\x6f\x6d\x3a\x61" + "\x6f\x6b" + "\x01\x02\x03\xff",
		},
		{
			"join reply, appendix B",
			result(s.AppendReply(nil, `"1"`, `"1"`, "room:binreply", "ok", bin("\x09\x08\x07"))),
			"\x01\x01\x01\x0d\x02\x31\x31\x72\x6f\x6f\x6d\x3a\x62\x69\x6e\x72\x65\x70\x6c\x79\x6f\x6b\x09\x08\x07",
		},
		{
			"reply, null and number", // null has size 0, a number is its digits
			result(s.AppendReply(nil, "", `22`, "t", "ok", bin("d"))),
			"\x01\x00\x02\x01\x02" + "22" + "t" + "ok" + "d",
		},
		{
			"reply, refs with escapes",
			result(s.AppendReply(nil, `"\u00e9"`, `"\""`, "é", "ok", bin(""))),
			"\x01\x02\x01\x02\x02" + "é" + `"` + "é" + "ok",
		},
		{
			"end", // the layout of a push: only one of the two join refs fits
			result(s.AppendEnd(nil, `"11"`, "t", "phx_error", bin("d"))),
			"\x00\x02\x01\x09" + "11" + "t" + "phx_error" + "d",
		},
		{
			"after others",
			result(s.AppendBroadcast([]byte("head"), "t", "e", bin("d"))),
			"head" + "\x02\x01\x01" + "te" + "d",
		},
		{
			"data that looks like JSON, not a map",
			result(s.AppendBroadcast(nil, "t", "e", bin("[]"))),
			"\x02\x01\x01" + "te" + "[]",
		},
	}
	for _, tt := range tests {
		if want := (appended{out: tt.want, binary: true}); tt.got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, want)
		}
	}
}

func TestBinaryAppendTooLong(t *testing.T) {
	var s wire.V2
	p := wire.Payload{Binary: true}
	fits := strings.Repeat("é", 127) + "x" // 255 bytes
	long := strings.Repeat("é", 128)       // 256 bytes in 128 runes
	fitsRef, longRef := wire.Ref(`"`+fits+`"`), wire.Ref(`"`+long+`"`)

	for _, got := range []appended{
		result(s.AppendPush(nil, fitsRef, fits, fits, p)),
		result(s.AppendReply(nil, fitsRef, fitsRef, fits, fits, p)),
		result(s.AppendBroadcast(nil, fits, fits, p)),
	} {
		if got.err != nil {
			t.Errorf("fields of 255 bytes: %v", got.err)
		}
	}

	want := appended{out: "head", err: wire.ErrFieldTooLong}
	for i, got := range []appended{
		result(s.AppendPush([]byte("head"), longRef, "t", "e", p)),
		result(s.AppendPush([]byte("head"), `"1"`, long, "e", p)),
		result(s.AppendPush([]byte("head"), `"1"`, "t", long, p)),
		result(s.AppendReply([]byte("head"), longRef, `"2"`, "t", "ok", p)),
		result(s.AppendReply([]byte("head"), `"1"`, longRef, "t", "ok", p)),
		result(s.AppendReply([]byte("head"), `"1"`, `"2"`, long, "ok", p)),
		result(s.AppendReply([]byte("head"), `"1"`, `"2"`, "t", long, p)),
		result(s.AppendBroadcast([]byte("head"), long, "e", p)),
		result(s.AppendBroadcast([]byte("head"), "t", long, p)),
		result(s.AppendEnd([]byte("head"), longRef, "t", "e", p)),
	} {
		if got != want {
			t.Errorf("call %d: got %+v, want %+v", i, got, want)
		}
	}
}

// A topic that is not a string fits no binary frame.
func TestBinaryAppendRawTopic(t *testing.T) {
	got := result(wire.V2{}.AppendRawTopicReply([]byte("head"), "", `"22"`, []byte(`7`), "ok", wire.Payload{Binary: true}))
	if want := (appended{out: "head", err: wire.ErrBinaryUnsupported}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
