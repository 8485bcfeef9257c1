package wire_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

// Refs and join refs differ everywhere, so that mixing them up fails.

func TestV2Decode(t *testing.T) {
	tests := []struct {
		data string
		want show
	}{
		{`["11","22","room:a","echo",{"x":1}]`, show{JoinRef: `"11"`, Ref: `"22"`, Topic: "room:a", Event: "echo", Payload: `{"x":1}`}},
		{`[null,"22","phoenix","heartbeat",{}]`, show{Ref: `"22"`, Topic: "phoenix", Event: "heartbeat", Payload: `{}`}},

		// Refs keep their JSON type, whatever it is.
		{`["9",7,"t","e",{}]`, show{JoinRef: `"9"`, Ref: `7`, Topic: "t", Event: "e", Payload: `{}`}},
		{`["","null","t","e",{}]`, show{JoinRef: `""`, Ref: `"null"`, Topic: "t", Event: "e", Payload: `{}`}},
		{`[-1.50e+3,"\u0031\"","t","e",{}]`, show{JoinRef: `-1.50e+3`, Ref: `"\u0031\""`, Topic: "t", Event: "e", Payload: `{}`}},
		{`[true,{"a": [1]},"t","e",{}]`, show{JoinRef: `true`, Ref: `{"a": [1]}`, Topic: "t", Event: "e", Payload: `{}`}},

		// Payloads may be any JSON value and are passed as they are.
		{`[null,null,"t","e",null]`, show{Topic: "t", Event: "e", Payload: `null`}},
		{`[null,null,"t","e","str"]`, show{Topic: "t", Event: "e", Payload: `"str"`}},
		{`[null,null,"t","e",[1, "]\"," , {}]]`, show{Topic: "t", Event: "e", Payload: `[1, "]\"," , {}]`}},
		{`[null,null,"t","e",-0]`, show{Topic: "t", Event: "e", Payload: `-0`}},
		{`[null,null,"t","e",{"a":"\ud83d"}]`, show{Topic: "t", Event: "e", Payload: `{"a":"\ud83d"}`}},

		// Topics that are not strings are kept to be echoed; events become text.
		{`["11","22",null,"e",{}]`, show{JoinRef: `"11"`, Ref: `"22"`, RawTopic: `null`, Event: "e", Payload: `{}`}},
		{`["11","22", 7 ,"e",{}]`, show{JoinRef: `"11"`, Ref: `"22"`, RawTopic: `7`, Event: "e", Payload: `{}`}},
		{`["11","22","t",null,{}]`, show{JoinRef: `"11"`, Ref: `"22"`, Topic: "t", Event: "null", Payload: `{}`}},
		{`["11","22","t",{"a":1},{}]`, show{JoinRef: `"11"`, Ref: `"22"`, Topic: "t", Event: `{"a":1}`, Payload: `{}`}},

		// Escapes in topic and event are undone.
		{`[null,null,"r\u006fom:\"\n\ud83d\ude00","\/\\",{}]`, show{Topic: "room:\"\n😀", Event: `/\`, Payload: `{}`}},
		{`[null,null,"\ud83d","",{}]`, show{Topic: "\uFFFD", Payload: `{}`}},
		{`[null,null,"t:é","😀",{}]`, show{Topic: "t:é", Event: "😀", Payload: `{}`}},

		// White space, and elements after the fifth, are ignored.
		{" [ \"11\"\t,\r\n\"22\" , \"t\" , \"e\" , {} ] ", show{JoinRef: `"11"`, Ref: `"22"`, Topic: "t", Event: "e", Payload: `{}`}},
		{`["11","22","t","e",{},"6th",[7]]`, show{JoinRef: `"11"`, Ref: `"22"`, Topic: "t", Event: "e", Payload: `{}`}},
	}
	for _, tt := range tests {
		if got := shown(decode(t, wire.V2{}, []byte(tt.data), false)); got != tt.want {
			t.Errorf("Decode(%q) = %+v, want %+v", tt.data, got, tt.want)
		}
	}
}

func TestV2DecodeMalformed(t *testing.T) {
	tests := []string{
		"", " ", "[", "[]", "null", `"str"`, "7",
		`{"topic":"t","event":"e","payload":{},"ref":"22"}`, // version 1
		`["11","22","t","e"]`,                               // four elements
		`["11","22","t","e",]`,
		`["11","22","t","e",{}`,
		`["11","22","t","e",{}]x`,
		`["11","22","t","e",{}][]`,
		`["11","22","t","e",{},]`,
		`["11","22","t","e",{},x]`,
		`["11""22","t","e",{}]`,
		`["11",,"t","e",{}]`,
		`,["11","22","t","e",{}]`,
		`["11","22","t","e",{}]` + "\x00",
		"\xef\xbb\xbf" + `["11","22","t","e",{}]`, // byte order mark
		"[\"11\",\"22\",\"t\xff\",\"e\",{}]",      // not UTF-8
		"[\"11\",\"22\",\"t\",\"e\",{\"a\":\"\xed\xa0\x80\"}]",
	}
	for _, data := range tests {
		if m, err := (wire.V2{}).Decode([]byte(data), false); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Decode(%q) = %+v, %v, want ErrMalformed", data, m, err)
		}
	}
}

// Every prefix of a message is malformed: a cut-off one never gets through.
func TestV2DecodeCut(t *testing.T) {
	whole := `["11",22,"t\u00e9","e",{"a":[true,false,null,-1.5e+7,"\n"],"b":{}}]`
	for i := range len(whole) {
		if m, err := (wire.V2{}).Decode([]byte(whole[:i]), false); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Decode(%q) = %+v, %v, want ErrMalformed", whole[:i], m, err)
		}
	}
	decode(t, wire.V2{}, []byte(whole), false)
}

func TestV2DecodeDepth(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	nest := func(levels int, open, close string) []byte {
		return []byte(`[null,null,"t","e",` + strings.Repeat(open, levels) + "1" + strings.Repeat(close, levels) + "]")
	}
	for _, b := range [][2]string{{"[", "]"}, {`{"a":`, "}"}} {
		decode(t, wire.V2{}, nest(1000, b[0], b[1]), false)
		for _, levels := range []int{1001, 5_000_000} {
			if _, err := (wire.V2{}).Decode(nest(levels, b[0], b[1]), false); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("Decode with %d levels of %s = %v, want ErrMalformed", levels, b[0], err)
			}
		}
	}
	wide := []byte(`[null,null,"t","e",[` + strings.Repeat("[{}],", 2000) + "0]]")
	decode(t, wire.V2{}, wide, false) // many, but not deep
}

// One row for each kind of message in the table of spec §2.2.
func TestV2Append(t *testing.T) {
	var s wire.V2
	payload := wire.Payload{Data: []byte(`{"x":1}`)}
	tests := []struct {
		name string
		got  appended
		want string
	}{
		//                                                                   join_ref, ref, topic, event, payload
		{"push", result(s.AppendPush(nil, `"11"`, "room:a", "news", payload)), `["11",null,"room:a","news",{"x":1}]`},
		{"push, numeric join ref", result(s.AppendPush(nil, `11`, "room:a", "news", payload)), `[11,null,"room:a","news",{"x":1}]`},
		{"reply", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", payload)), `["11","22","room:a","phx_reply",{"status":"ok","response":{"x":1}}]`},
		{"reply, own status", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", `may"be`, payload)), `["11","22","room:a","phx_reply",{"status":"may\"be","response":{"x":1}}]`},
		{"reply, not a map", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", wire.Payload{Data: []byte(`"str"`)})), `["11","22","room:a","phx_reply",{"status":"ok","response":"str"}]`},
		{"broadcast", result(s.AppendBroadcast(nil, "room:a", "news", payload)), `[null,null,"room:a","news",{"x":1}]`},
		{"close", result(s.AppendEnd(nil, `"11"`, "room:a", "phx_close", wire.Payload{})), `["11","11","room:a","phx_close",{}]`},
		{"error", result(s.AppendEnd(nil, `"11"`, "room:a", "phx_error", wire.Payload{Data: []byte(`{"reason":"channel_crash"}`)})), `["11","11","room:a","phx_error",{"reason":"channel_crash"}]`},
		{"heartbeat", result(s.AppendReply(nil, "", `7`, "phoenix", "ok", wire.Payload{})), `[null,7,"phoenix","phx_reply",{"status":"ok","response":{}}]`},
		{"raw topic", result(s.AppendRawTopicReply(nil, `"11"`, `"22"`, []byte(`[7]`), "error", payload)), `["11","22",[7],"phx_reply",{"status":"error","response":{"x":1}}]`},
		{"empty JSON data", result(s.AppendPush(nil, "", "t", "e", wire.Payload{Data: []byte{}})), `[null,null,"t","e",{}]`},
		{"white space", result(s.AppendPush(nil, "", "t", "e", wire.Payload{Data: []byte(" \t\r\n{} ")})), "[null,null,\"t\",\"e\", \t\r\n{} ]"},
		{"after others", result(s.AppendBroadcast([]byte("head"), "t", "e", payload)), `head[null,null,"t","e",{"x":1}]`},
	}
	for _, tt := range tests {
		if want := (appended{out: tt.want}); tt.got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, want)
		}
	}
}

// Pushes and broadcasts of anything but a map are refused, spec §2.2.
func TestAppendNotMap(t *testing.T) {
	for _, s := range []wire.Serializer{wire.V1{}, wire.V2{}} {
		for _, json := range []string{`"str"`, `[1]`, `7`, `null`, `true`, ` [{}]`} {
			want := appended{out: "head", err: wire.ErrPayloadNotMap}
			p := wire.Payload{Data: []byte(json)}
			for i, got := range []appended{
				result(s.AppendPush([]byte("head"), `"11"`, "t", "e", p)),
				result(s.AppendBroadcast([]byte("head"), "t", "e", p)),
				result(s.AppendEnd([]byte("head"), `"11"`, "t", "phx_error", p)),
			} {
				if got != want {
					t.Errorf("%T, call %d, payload %s: got %+v, want %+v", s, i, json, got, want)
				}
			}
		}
	}
}

// appended is what an Append method returned, made comparable.
type appended struct {
	out    string
	binary bool
	err    error // the sentinel it wraps
}

func result(out []byte, binary bool, err error) appended {
	for _, sentinel := range []error{wire.ErrPayloadNotMap, wire.ErrBinaryUnsupported, wire.ErrFieldTooLong} {
		if errors.Is(err, sentinel) {
			err = sentinel
		}
	}
	return appended{string(out), binary, err}
}
