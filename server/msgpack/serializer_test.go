package msgpack_test

import (
	"errors"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/msgpack"
	"github.com/roost-rt/roost/server/wire"
)

// head is a message up to its payload. Refs and join refs differ everywhere, so
// that mixing them up fails.
const head = "\x95" + // array of 5
	"\xa211" + // join_ref "11"
	"\xa222" + // ref "22"
	"\xa6room:a" + // topic
	"\xa4echo" // event

func TestVersion(t *testing.T) {
	if got := (msgpack.Serializer{}).Version(); got != "3.0.0" {
		t.Errorf("Version = %q, want 3.0.0", got)
	}
	for vsn, want := range map[string]bool{"3.0.0": true, "3.0.7": true, "3.1.0": false, "2.0.0": false, "": false} {
		if got := wire.Serves(msgpack.Serializer{}, vsn); got != want {
			t.Errorf("Serves(%q) = %v, want %v", vsn, got, want)
		}
	}
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, data string
		want       show
	}{
		{"message", head + "\x81\xa1x\x01", show{JoinRef: `"11"`, Ref: `"22"`, Topic: "room:a", Event: "echo", Payload: `{"x":1}`}},
		{"heartbeat", "\x95\xc0\xa17\xa7phoenix\xa9heartbeat\x80", show{Ref: `"7"`, Topic: "phoenix", Event: "heartbeat", Payload: `{}`}},

		// Refs keep their type. Null is not the empty string.
		{"numeric refs", "\x95\x0b\xcd\x01\x00\xa1t\xa1e\x80", show{JoinRef: `11`, Ref: `256`, Topic: "t", Event: "e", Payload: `{}`}},
		{"negative ref", "\x95\xff\xd3\x80\x00\x00\x00\x00\x00\x00\x00\xa1t\xa1e\x80", show{JoinRef: `-1`, Ref: `-9223372036854775808`, Topic: "t", Event: "e", Payload: `{}`}},
		{"empty refs", "\x95\xa0\xa4null\xa1t\xa1e\x80", show{JoinRef: `""`, Ref: `"null"`, Topic: "t", Event: "e", Payload: `{}`}},
		{"ref with a quote", "\x95\xc0\xa3\"\\\n\xa1t\xa1e\x80", show{Ref: `"\"\\\u000a"`, Topic: "t", Event: "e", Payload: `{}`}},

		{"binary", head + "\xc4\x03\x01\x02\xff", show{JoinRef: `"11"`, Ref: `"22"`, Topic: "room:a", Event: "echo", Payload: "\x01\x02\xff", Binary: true}},
		{"empty binary", head + "\xc4\x00", show{JoinRef: `"11"`, Ref: `"22"`, Topic: "room:a", Event: "echo", Binary: true}},
		{"empty names", "\x95\xc0\xc0\xa0\xa0\x80", show{Payload: `{}`}},
		{"not UTF-8", "\x95\xc0\xa1\xff\xa2t\xff\xa1\xff\x81\xa1\xff\x01", show{Ref: "\"\uFFFD\"", Topic: "t\uFFFD", Event: "\uFFFD", Payload: "{\"\uFFFD\":1}"}},
		{"names of many sizes", "\xdc\x00\x05\xc0\xc0\xd9\x03t:\x00\xda\x00\x04😀\x80", show{Topic: "t:\x00", Event: "😀", Payload: `{}`}},
	}
	for _, tt := range tests {
		if got := shown(decode(t, []byte(tt.data))); got != tt.want {
			t.Errorf("%s: Decode(%q) = %+v, want %+v", tt.name, tt.data, got, tt.want)
		}
	}
}

// Payloads of every type, in every one of its formats.
func TestDecodePayload(t *testing.T) {
	tests := []struct{ data, want string }{
		{"\xc0", `null`},
		{"\xc2", `false`},
		{"\xc3", `true`},

		{"\x00", `0`}, // fixint
		{"\x7f", `127`},
		{"\xff", `-1`},
		{"\xe0", `-32`},
		{"\xcc\xff", `255`}, // uint 8, 16, 32, 64
		{"\xcd\xff\xff", `65535`},
		{"\xce\xff\xff\xff\xff", `4294967295`},
		{"\xcf\x00\x20\x00\x00\x00\x00\x00\x01", `9007199254740993`}, // 2^53 + 1
		{"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", `18446744073709551615`},
		{"\xd0\x80", `-128`}, // int 8, 16, 32, 64
		{"\xd1\x80\x00", `-32768`},
		{"\xd2\x80\x00\x00\x00", `-2147483648`},
		{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00", `-9223372036854775808`},
		{"\xd3\x7f\xff\xff\xff\xff\xff\xff\xff", `9223372036854775807`},

		{"\xca\x3f\xc0\x00\x00", `1.5`}, // float 32, 64
		{"\xca\x3d\xcc\xcc\xcd", `0.10000000149011612`},
		{"\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a", `0.1`},
		{"\xcb\x40\x14\x00\x00\x00\x00\x00\x00", `5`},
		{"\xcb\x80\x00\x00\x00\x00\x00\x00\x00", `-0`},
		{"\xcb\x7f\xef\xff\xff\xff\xff\xff\xff", `1.7976931348623157e+308`},
		{"\xcb\x7f\xf8\x00\x00\x00\x00\x00\x00", `null`}, // NaN
		{"\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00", `null`}, // +Inf
		{"\xcb\xff\xf0\x00\x00\x00\x00\x00\x00", `null`}, // -Inf

		{"\xa0", `""`}, // fixstr, str 8, 16, 32
		{"\xa5<é>\x7f", "\"<é>\x7f\""},
		{"\xa6\"\\\n\x00\x1f/", `"\"\\\u000a\u0000\u001f/"`},
		{"\xa4a\xed\xa0\x80", "\"a\uFFFD\""}, // half a surrogate pair
		{"\xd9\x01a", `"a"`},
		{"\xda\x00\x01a", `"a"`},
		{"\xdb\x00\x00\x00\x01a", `"a"`},

		{"\x91\xc4\x03\x01\x02\xff", `["AQL/"]`}, // bin 8, 16, 32 in something
		{"\x91\xc5\x00\x01\x01", `["AQ=="]`},
		{"\x91\xc6\x00\x00\x00\x00", `[""]`},

		{"\xd6\xff\x00\x00\x00\x01", `"1970-01-01T00:00:01Z"`},                                         // timestamp 32
		{"\xd7\xff\x1d\xcd\x65\x00\x00\x00\x00\x01", `"1970-01-01T00:00:01.125Z"`},                     // 64: 30 bits of ns, 34 of s
		{"\xc7\x0c\xff\x07\x73\x59\x40\xff\xff\xff\xff\xff\xff\xff\xff", `"1969-12-31T23:59:59.125Z"`}, // 96

		{"\x90", `[]`}, // fixarray, array 16, 32
		{"\x93\x01\x91\x02\xc0", `[1,[2],null]`},
		{"\xdc\x00\x02\x01\x02", `[1,2]`},
		{"\xdd\x00\x00\x00\x02\x01\x02", `[1,2]`},

		{"\x80", `{}`}, // fixmap, map 16, 32
		{"\x82\xa1b\x01\xa1a\x81\xa1c\x90", `{"b":1,"a":{"c":[]}}`},
		{"\x82\xa1a\x01\xa1a\x02", `{"a":1,"a":2}`},
		{"\xde\x00\x01\xa2\"a\x01", `{"\"a":1}`},
		{"\xdf\x00\x00\x00\x01\xd9\x01a\x01", `{"a":1}`},
	}
	for _, tt := range tests {
		got := decode(t, []byte(head+tt.data)).Payload
		if string(got.Data) != tt.want || got.Binary {
			t.Errorf("Decode of payload %q = %s, %v, want %s", tt.data, got.Data, got.Binary, tt.want)
		}
	}
}

// Timestamps do not depend on where the server is.
func TestDecodeTimestampZone(t *testing.T) {
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.FixedZone("elsewhere", 3600)
	if got, want := string(decode(t, []byte(head+"\xd6\xff\x00\x00\x00\x01")).Payload.Data), `"1970-01-01T00:00:01Z"`; got != want {
		t.Errorf("Decode of a timestamp = %s, want %s", got, want)
	}
}

func TestDecodeMalformed(t *testing.T) {
	tests := []string{
		"",
		"\x80",                               // no array
		"\xc0",                               // no array, though the library gives it a length
		`["11","22","room:a","echo",{}]`,     // version 2
		"\x94\xc0\xc0\xa1t\xa1e",             // four elements
		"\x96\xc0\xc0\xa1t\xa1e\x80",         // six, it says
		"\x96\xc0\xc0\xa1t\xa1e\x80\x80",     // six
		head + "\x80\x80",                    // and then another
		"\x95\xc4\x0211\xa222\xa1t\xa1e\x80", // refs: bin,
		"\x95\xc0\xc3\xa1t\xa1e\x80",         // bool,
		"\x95\xc0\xca\x00\x00\x00\x00\xa1t\xa1e\x80",                          // float,
		"\x95\x90\xc0\xa1t\xa1e\x80",                                          // array,
		"\x95\xc0\xd6\xff\x00\x00\x00\x01\xa1t\xa1e\x80",                      // timestamp
		"\x95\xc0\xc0\xc0\xa1e\x80",                                           // topic nil,
		"\x95\xc0\xc0\x07\xa1e\x80",                                           // int,
		"\x95\xc0\xc0\xc4\x01t\xa1e\x80",                                      // bin
		"\x95\xc0\xc0\xa1t\xc0\x80",                                           // event nil
		head + "\x81\x01\x01",                                                 // keys: int,
		head + "\x81\xc0\x01",                                                 // nil,
		head + "\x81\xc4\x01a\x01",                                            // bin
		head + "\xc1",                                                         // not a type
		head + "\xd6\x01\x00\x00\x00\x01",                                     // ext 1
		head + "\xd6\x0d\x00\x00\x00\x01",                                     // ext 13, which the library takes for a time
		head + "\xd4\xff\x00",                                                 // timestamp of 1 byte,
		head + "\xc9\xff\xff\xff\xff\xff",                                     // of 4 GiB,
		head + "\xc7\x0c\xff\x00\x00\x00\x00\x00\x00\x00\x3a\xff\xf4\x41\x80", // in the year 10000,
		head + "\xc7\x0c\xff\x00\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff", // at the end of time
		head + "\xc6\xff\xff\xff\xff",                                         // sizes that are not there: bin,
		head + "\xdb\xff\xff\xff\xff",                                         // str,
		head + "\xdd\xff\xff\xff\xff",                                         // array,
		head + "\xdf\xff\xff\xff\xff",                                         // map
	}
	for _, data := range tests {
		if m, err := (msgpack.Serializer{}).Decode([]byte(data), true); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Decode(%q) = %+v, %v, want ErrMalformed", data, m, err)
		}
	}
	if m, err := (msgpack.Serializer{}).Decode([]byte(head+"\x80"), false); !errors.Is(err, wire.ErrMalformed) {
		t.Errorf("Decode of a text frame = %+v, %v, want ErrMalformed", m, err)
	}
}

// Every prefix of a message is malformed: a cut-off one never gets through.
func TestDecodeCut(t *testing.T) {
	whole := head + "\x83\xa1a\x94\xc3\xcd\x01\x00\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a\xd9\x02\xc3\xa9" +
		"\xa1b\xc4\x02\x01\x02\xa1c\xd7\xff\x00\x00\x00\x00\x00\x00\x00\x01"
	for i := range len(whole) {
		if m, err := (msgpack.Serializer{}).Decode([]byte(whole[:i]), true); !errors.Is(err, wire.ErrMalformed) {
			t.Errorf("Decode(%q) = %+v, %v, want ErrMalformed", whole[:i], m, err)
		}
	}
	decode(t, []byte(whole))
}

func TestDecodeDepth(t *testing.T) {
	for _, open := range []string{"\x91", "\xdc\x00\x01", "\x81\xa1a"} { // array, array 16, map
		decode(t, []byte(head+strings.Repeat(open, 1000)+"\x01"))
		for _, levels := range []int{1001, 2_000_000} {
			data := []byte(head + strings.Repeat(open, levels) + "\x01")
			if _, err := (msgpack.Serializer{}).Decode(data, true); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("Decode with %d levels of %q = %v, want ErrMalformed", levels, open, err)
			}
		}
	}
	decode(t, []byte(head+"\xdc\x07\xd0"+strings.Repeat("\x91\x80", 2000))) // many, but not deep
}

// A header may claim 4 GiB; nothing of that size is allocated.
func TestDecodeClaims(t *testing.T) {
	for _, code := range []string{"\xc6", "\xdb", "\xdd", "\xdf", "\xc9"} {
		data := []byte(head + "\x91" + code + "\xff\xff\xff\xff\xff")
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = msgpack.Serializer{}.Decode(data, true)
		runtime.ReadMemStats(&after)
		if got := after.TotalAlloc - before.TotalAlloc; got > 100_000 {
			t.Errorf("Decode(%q) allocates %d bytes, want few", data, got)
		}
	}
}

// One row for each kind of message in the table of spec §2.2.
func TestAppend(t *testing.T) {
	var s msgpack.Serializer
	payload := wire.Payload{Data: []byte(`{"x":1}`)}
	bin := wire.Payload{Data: []byte{1, 2, 255}, Binary: true}
	tests := []struct {
		name string
		got  appended
		want string
	}{
		//                                                                      join_ref, ref, topic, event, payload
		{"push", result(s.AppendPush(nil, `"11"`, "room:a", "news", payload)), "\x95\xa211\xc0\xa6room:a\xa4news\x81\xa1x\x01"},
		{"push, numeric join ref", result(s.AppendPush(nil, `11`, "room:a", "news", payload)), "\x95\x0b\xc0\xa6room:a\xa4news\x81\xa1x\x01"},
		{"push, binary", result(s.AppendPush(nil, `"11"`, "room:a", "news", bin)), "\x95\xa211\xc0\xa6room:a\xa4news\xc4\x03\x01\x02\xff"},
		{"reply", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", payload)), "\x95\xa211\xa222\xa6room:a\xa9phx_reply\x82\xa6status\xa2ok\xa8response\x81\xa1x\x01"},
		{"reply, own status", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "maybe", payload)), "\x95\xa211\xa222\xa6room:a\xa9phx_reply\x82\xa6status\xa5maybe\xa8response\x81\xa1x\x01"},
		{"reply, not a map", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", wire.Payload{Data: []byte(`"str"`)})), "\x95\xa211\xa222\xa6room:a\xa9phx_reply\x82\xa6status\xa2ok\xa8response\xa3str"},
		{"reply, binary", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", bin)), "\x95\xa211\xa222\xa6room:a\xa9phx_reply\x82\xa6status\xa2ok\xa8response\xc4\x03\x01\x02\xff"},
		{"heartbeat", result(s.AppendReply(nil, "", `7`, "phoenix", "ok", wire.Payload{})), "\x95\xc0\x07\xa7phoenix\xa9phx_reply\x82\xa6status\xa2ok\xa8response\x80"},
		{"broadcast", result(s.AppendBroadcast(nil, "room:a", "news", payload)), "\x95\xc0\xc0\xa6room:a\xa4news\x81\xa1x\x01"},
		{"broadcast, binary", result(s.AppendBroadcast(nil, "room:a", "news", bin)), "\x95\xc0\xc0\xa6room:a\xa4news\xc4\x03\x01\x02\xff"},
		{"broadcast, nothing binary", result(s.AppendBroadcast(nil, "room:a", "news", wire.Payload{Binary: true})), "\x95\xc0\xc0\xa6room:a\xa4news\xc4\x00"},
		{"close", result(s.AppendEnd(nil, `"11"`, "room:a", "phx_close", wire.Payload{})), "\x95\xa211\xa211\xa6room:a\xa9phx_close\x80"},
		{"error", result(s.AppendEnd(nil, `"11"`, "room:a", "phx_error", wire.Payload{Data: []byte(`{"reason":"channel_crash"}`)})), "\x95\xa211\xa211\xa6room:a\xa9phx_error\x81\xa6reason\xadchannel_crash"},
		{"empty join ref", result(s.AppendPush(nil, `""`, "t", "e", payload)), "\x95\xa0\xc0\xa1t\xa1e\x81\xa1x\x01"},
		{"white space", result(s.AppendPush(nil, "", "t", "e", wire.Payload{Data: []byte(" \t\r\n{} ")})), "\x95\xc0\xc0\xa1t\xa1e\x80"},
		{"after others", result(s.AppendBroadcast([]byte("head"), "t", "e", payload)), "head\x95\xc0\xc0\xa1t\xa1e\x81\xa1x\x01"},
		{"not UTF-8", result(s.AppendBroadcast(nil, "t\xff", "e", payload)), "\x95\xc0\xc0\xa4t\uFFFD\xa1e\x81\xa1x\x01"},
	}
	for _, tt := range tests {
		if want := (appended{out: tt.want, binary: true}); tt.got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, want)
		}
	}
}

// JSON of every type, as a response because that may be any of them.
func TestAppendPayload(t *testing.T) {
	tests := []struct{ json, want string }{
		{`null`, "\xc0"},
		{` true `, "\xc3"},
		{`false`, "\xc2"},

		{`0`, "\x00"}, // the shortest int
		{`-0`, "\x00"},
		{`127`, "\x7f"},
		{`128`, "\xcc\x80"},
		{`256`, "\xcd\x01\x00"},
		{`65536`, "\xce\x00\x01\x00\x00"},
		{`9007199254740993`, "\xcf\x00\x20\x00\x00\x00\x00\x00\x01"}, // 2^53 + 1
		{`18446744073709551615`, "\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
		{`-32`, "\xe0"},
		{`-33`, "\xd0\xdf"},
		{`-129`, "\xd1\xff\x7f"},
		{`-32769`, "\xd2\xff\xff\x7f\xff"},
		{`-9223372036854775808`, "\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},

		{`0.1`, "\xcb\x3f\xb9\x99\x99\x99\x99\x99\x9a"}, // float 64
		{`5.0`, "\xcb\x40\x14\x00\x00\x00\x00\x00\x00"},
		{`1E+3`, "\xcb\x40\x8f\x40\x00\x00\x00\x00\x00"},
		{`1e3`, "\xcb\x40\x8f\x40\x00\x00\x00\x00\x00"},
		{`18446744073709551616`, "\xcb\x43\xf0\x00\x00\x00\x00\x00\x00"},
		{`-9223372036854775809`, "\xcb\xc3\xe0\x00\x00\x00\x00\x00\x00"},
		{`1e400`, "\xcb\x7f\xf0\x00\x00\x00\x00\x00\x00"},
		{`-1e400`, "\xcb\xff\xf0\x00\x00\x00\x00\x00\x00"},

		{`""`, "\xa0"},
		{`"\u003cé\ud83d\ude00\n"`, "\xa8<é😀\n"},
		{`"\ud83d"`, "\xa3\uFFFD"}, // half a pair
		{`"` + strings.Repeat("a", 32) + `"`, "\xd9\x20" + strings.Repeat("a", 32)},

		{`[]`, "\x90"},
		{`[1,[null],"a"]`, "\x93\x01\x91\xc0\xa1a"},
		{`[` + strings.Repeat("0,", 15) + `0]`, "\xdc\x00\x10" + strings.Repeat("\x00", 16)},
		{`{}`, "\x80"},
		{``, "\x80"},
		{`{"b":{"d":[]},"a":1}`, "\x82\xa1b\x81\xa1d\x90\xa1a\x01"},
		{" { \"a\" : [ ] , \"b\" : [ { } , 1 ] } ", "\x82\xa1a\x90\xa1b\x92\x80\x01"},
		{`{"[,{\"":"],}\\","a":","}`, "\x82\xa4[,{\"\xa4],}\\\xa1a\xa1,"},
		{`{"a":1,"a":2}`, "\x82\xa1a\x01\xa1a\x02"},
	}
	const before = "\x95\xc0\xc0\xa1t\xa9phx_reply\x82\xa6status\xa2ok\xa8response"
	for _, tt := range tests {
		out, binary, err := msgpack.Serializer{}.AppendReply(nil, "", "", "t", "ok", wire.Payload{Data: []byte(tt.json)})
		if want := before + tt.want; string(out) != want || !binary || err != nil {
			t.Errorf("AppendReply of %s = %q, %v, %v, want %q", tt.json, out, binary, err, want)
		}
	}
}

// Pushes and broadcasts of anything but a map are refused, spec §2.2.
func TestAppendNotMap(t *testing.T) {
	var s msgpack.Serializer
	want := appended{out: "head", err: wire.ErrPayloadNotMap}
	for _, json := range []string{`"str"`, `[1]`, `7`, `null`, `true`, ` [{}]`} {
		p := wire.Payload{Data: []byte(json)}
		for i, got := range []appended{
			result(s.AppendPush([]byte("head"), `"11"`, "t", "e", p)),
			result(s.AppendBroadcast([]byte("head"), "t", "e", p)),
			result(s.AppendEnd([]byte("head"), `"11"`, "t", "phx_error", p)),
		} {
			if got != want {
				t.Errorf("call %d, payload %s: got %+v, want %+v", i, json, got, want)
			}
		}
	}
}

// What is no JSON is the application's mistake, and nobody is sent it.
func TestAppendNotJSON(t *testing.T) {
	var s msgpack.Serializer
	bad := wire.Payload{Data: []byte(`{"x":`)}
	for i, call := range []func() ([]byte, bool, error){
		func() ([]byte, bool, error) { return s.AppendPush([]byte("head"), `"11"`, "t", "e", bad) },
		func() ([]byte, bool, error) { return s.AppendReply([]byte("head"), `"11"`, `"22"`, "t", "ok", bad) },
		func() ([]byte, bool, error) {
			return s.AppendReply([]byte("head"), `"11"`, `"22`, "t", "ok", wire.Payload{})
		},
	} {
		if out, binary, err := call(); string(out) != "head" || binary || err == nil {
			t.Errorf("call %d: got %q, %v, %v, want head and an error", i, out, binary, err)
		}
	}
}

// What Append keeps of its arguments is a copy, and so is Clone of a message.
func TestCopies(t *testing.T) {
	data := []byte(head + "\xc4\x03\x01\x02\x03")
	m := decode(t, data)
	clone := m.Clone()
	out, _, err := msgpack.Serializer{}.AppendBroadcast(nil, m.Topic, m.Event, m.Payload)
	if err != nil {
		t.Fatal(err)
	}
	clear(data)
	if got := shown(clone); got.Payload != "\x01\x02\x03" || got.Topic != "room:a" {
		t.Errorf("after its input changed, a clone is %+v", got)
	}
	if want := "\x95\xc0\xc0\xa6room:a\xa4echo\xc4\x03\x01\x02\x03"; string(out) != want {
		t.Errorf("after its input changed, a broadcast is %q, want %q", out, want)
	}
}

// decode fails the test if data is not a message.
func decode(t testing.TB, data []byte) wire.Message {
	t.Helper()
	m, err := msgpack.Serializer{}.Decode(data, true)
	if err != nil {
		t.Fatalf("Decode(%q) = %v", data, err)
	}
	return m
}

// show makes a message readable and comparable.
type show struct {
	JoinRef, Ref, Topic, Event, Payload string
	Binary                              bool
}

func shown(m wire.Message) show {
	return show{string(m.JoinRef), string(m.Ref), m.Topic, m.Event, string(m.Payload.Data), m.Payload.Binary}
}

// appended is what an Append method returned, made comparable.
type appended struct {
	out    string
	binary bool
	err    error
}

func result(out []byte, binary bool, err error) appended { return appended{string(out), binary, err} }
