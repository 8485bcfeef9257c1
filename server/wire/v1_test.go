package wire_test

import (
	"errors"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

func TestV1Decode(t *testing.T) {
	tests := []struct {
		data string
		want show
	}{
		{`{"topic":"room:a","event":"phx_join","payload":{"k":1},"ref":"22"}`, show{Ref: `"22"`, Topic: "room:a", Event: "phx_join", Payload: `{"k":1}`}},
		{`{"topic":"t","event":"e","payload":{},"ref":22,"join_ref":"11"}`, show{JoinRef: `"11"`, Ref: `22`, Topic: "t", Event: "e", Payload: `{}`}},
		{`{"ref":null,"join_ref":null,"payload":[1],"event":"e","topic":"t"}`, show{Topic: "t", Event: "e", Payload: `[1]`}},
		{` { "x" : {"topic":"no"} , "topic" : "t" , "event":"e", "payload": null ,"ref":"22" , "y":[] } `, show{Ref: `"22"`, Topic: "t", Event: "e", Payload: `null`}},
		{`{"topic":"no","topic":"t","event":"e","payload":{},"ref":"no","ref":"22"}`, show{Ref: `"22"`, Topic: "t", Event: "e", Payload: `{}`}},
		{`{"t\u006fpic":"\u00e9","event":"\t","payload":{},"ref":"22"}`, show{Ref: `"22"`, Topic: "é", Event: "\t", Payload: `{}`}},
		{`{"topic":7,"event":8,"payload":9,"ref":10}`, show{Ref: `10`, RawTopic: `7`, Event: "8", Payload: `9`}},
	}
	for _, tt := range tests {
		for _, binary := range []bool{false, true} { // spec §2.1: the opcode is ignored
			if got := shown(decode(t, wire.V1{}, []byte(tt.data), binary)); got != tt.want {
				t.Errorf("Decode(%q, %v) = %+v, want %+v", tt.data, binary, got, tt.want)
			}
		}
	}
}

func TestV1DecodeMalformed(t *testing.T) {
	tests := []string{
		"", " ", "{", "{}", "null", "[]",
		`["11","22","t","e",{}]`, // version 2
		`{"event":"e","payload":{},"ref":"22"}`,
		`{"topic":"t","payload":{},"ref":"22"}`,
		`{"topic":"t","event":"e","ref":"22"}`,
		`{"topic":"t","event":"e","payload":{}}`,
		`{"Topic":"t","event":"e","payload":{},"ref":"22"}`,
		`{"topic":"t","event":"e","payload":{},"ref":"22"`,
		`{"topic":"t","event":"e","payload":{},"ref":"22",}`,
		`{,"topic":"t","event":"e","payload":{},"ref":"22"}`,
		`{"topic":"t" "event":"e","payload":{},"ref":"22"}`,
		`{"topic":"t","event":"e","payload":{},"ref":"22"}{}`,
		`{"topic":"t","event":"e","payload":{},"ref":}`,
		`{"topic":"t","event":"e","payload":{},"ref"}`,
		`{topic:"t","event":"e","payload":{},"ref":"22"}`,
		`{7:"t","topic":"t","event":"e","payload":{},"ref":"22"}`,
		"{\"topic\":\"t\xff\",\"event\":\"e\",\"payload\":{},\"ref\":\"22\"}",
		"\x00\x01\x01\x06\x0312room:abin\x01\x02\x03", // binary of version 2
	}
	for _, data := range tests {
		for _, binary := range []bool{false, true} {
			if m, err := (wire.V1{}).Decode([]byte(data), binary); !errors.Is(err, wire.ErrMalformed) {
				t.Errorf("Decode(%q, %v) = %+v, %v, want ErrMalformed", data, binary, m, err)
			}
		}
	}
}

func TestV1Append(t *testing.T) {
	var s wire.V1
	payload := wire.Payload{Data: []byte(`{"x":1}`)}
	tests := []struct {
		name string
		got  appended
		want string
	}{
		// No message towards the client has a join_ref, spec §2.1.
		{"push", result(s.AppendPush(nil, `"11"`, "room:a", "news", payload)), `{"topic":"room:a","event":"news","payload":{"x":1},"ref":null}`},
		{"reply", result(s.AppendReply(nil, `"11"`, `"22"`, "room:a", "ok", payload)), `{"topic":"room:a","event":"phx_reply","payload":{"status":"ok","response":{"x":1}},"ref":"22"}`},
		{"reply, numeric ref", result(s.AppendReply(nil, "", `22`, "room:a", "ok", wire.Payload{})), `{"topic":"room:a","event":"phx_reply","payload":{"status":"ok","response":{}},"ref":22}`},
		{"broadcast", result(s.AppendBroadcast(nil, "room:a", "news", payload)), `{"topic":"room:a","event":"news","payload":{"x":1},"ref":null}`},
		{"close", result(s.AppendEnd(nil, "", "room:a", "phx_close", wire.Payload{})), `{"topic":"room:a","event":"phx_close","payload":{},"ref":null}`},
		{"error, join ref", result(s.AppendEnd(nil, `"11"`, "room:a", "phx_error", payload)), `{"topic":"room:a","event":"phx_error","payload":{"x":1},"ref":"11"}`},
		{"raw topic", result(s.AppendRawTopicReply(nil, `"11"`, `"22"`, []byte(`null`), "error", payload)), `{"topic":null,"event":"phx_reply","payload":{"status":"error","response":{"x":1}},"ref":"22"}`},
		{"after others", result(s.AppendBroadcast([]byte("head"), "t", "e", payload)), `head{"topic":"t","event":"e","payload":{"x":1},"ref":null}`},
	}
	for _, tt := range tests {
		if want := (appended{out: tt.want}); tt.got != want {
			t.Errorf("%s: got %+v, want %+v", tt.name, tt.got, want)
		}
	}
}

// Version 1 has no binary payloads, and says so without a trace in dst.
func TestV1AppendBinary(t *testing.T) {
	var s wire.V1
	p := wire.Payload{Data: []byte("{}"), Binary: true}
	want := appended{out: "head", err: wire.ErrBinaryUnsupported}
	for i, got := range []appended{
		result(s.AppendPush([]byte("head"), `"11"`, "t", "e", p)),
		result(s.AppendReply([]byte("head"), `"11"`, `"22"`, "t", "ok", p)),
		result(s.AppendRawTopicReply([]byte("head"), `"11"`, `"22"`, []byte(`7`), "ok", p)),
		result(s.AppendBroadcast([]byte("head"), "t", "e", p)),
		result(s.AppendEnd([]byte("head"), `"11"`, "t", "phx_close", p)),
	} {
		if got != want {
			t.Errorf("call %d: got %+v, want %+v", i, got, want)
		}
	}
}
