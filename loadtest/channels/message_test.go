package channels_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/roost-rt/roost/loadtest/channels"
)

// What any encoder of JSON may make of a message is read alike.
func TestDecode(t *testing.T) {
	want := channels.Message{JoinRef: "1", Ref: "7", Topic: "room:a", Event: "phx_reply"}
	for _, text := range []string{
		`["1","7","room:a","phx_reply",{"status":"ok","response":{"a":1}}]`,
		"\n [ \"1\" , \"7\" , \"room:a\" , \"phx_reply\" , { \"response\" : { \"a\" : 1 } , \"status\" : \"ok\" } ] ",
		`["1","7","room\u003aa","phx\u005freply",{"response":{"a":1},"status":"o\u006b"},"more"]`,
		`[1,7,"room:a","phx_reply",{"status":"ok","response":{"a":1}}]`,
		`{"topic":"room:a","event":"phx_reply","ref":"7","join_ref":"1","payload":{"status":"ok","response":{"a":1}}}`,
		` {"payload": {"response": {"a": 1}, "status": "ok"}, "ref": "7", "join_ref": 1, "event": "phx_reply", "topic": "room:a"}`,
	} {
		m, err := channels.Decode([]byte(text))
		if err != nil {
			t.Errorf("Decode(%s): %v", text, err)
			continue
		}
		a, err := m.Answer()
		if err != nil || a.Status != "ok" || m.Ref != want.Ref || m.JoinRef != want.JoinRef || m.Topic != want.Topic || m.Event != want.Event {
			t.Errorf("Decode(%s) = %+v with answer %+v, %v", text, m, a, err)
		}
	}
	for _, text := range []string{``, `[]`, `["1","7","room:a","phx_reply"]`, `[null,null,3,"e",{}]`, `[null,null,"t",null]`, `{"topic":3}`, `nonsense`} {
		if m, err := channels.Decode([]byte(text)); err == nil {
			t.Errorf("Decode(%s) = %+v, want an error", text, m)
		}
	}
}

func TestReason(t *testing.T) {
	for response, want := range map[string]string{
		`{"reason":"overloaded"}`:       "overloaded",
		`{"reason": "over\u006coaded"}`: "overloaded",
		`{"code":7}`:                    `{"code":7}`,
		`{"reason":{"a":1}}`:            `{"reason":{"a":1}}`,
		`[1]`:                           `[1]`,
	} {
		if got := (channels.Answer{Response: json.RawMessage(response)}).Reason(); got != want {
			t.Errorf("reason of %s = %q, want %q", response, got, want)
		}
	}
}

func TestEncode(t *testing.T) {
	m := channels.Message{JoinRef: "1", Ref: "7", Topic: `room:"a"`, Event: "say", Payload: json.RawMessage(`{"a":1}`)}
	for vsn, want := range map[string]string{
		channels.V2: `["1","7","room:\"a\"","say",{"a":1}]`,
		channels.V1: `{"topic":"room:\"a\"","event":"say","payload":{"a":1},"ref":"7","join_ref":"1"}`,
	} {
		if got := string(channels.Encode(nil, vsn, m)); got != want {
			t.Errorf("version %s: %s, want %s", vsn, got, want)
		}
	}
	if got, want := string(channels.Encode(nil, channels.V2, channels.Message{Ref: "2", Topic: "phoenix", Event: "heartbeat"})), `[null,"2","phoenix","heartbeat",{}]`; got != want {
		t.Errorf("heartbeat %s, want %s", got, want)
	}
}

// The bytes are those of the specification, §2.3.
func TestBinary(t *testing.T) {
	got, err := channels.EncodeBinary(nil, channels.Message{JoinRef: "1", Ref: "23", Topic: "r:a", Event: "save", Binary: []byte{1, 2}})
	if want := []byte("\x00\x01\x02\x03\x04" + "123r:asave\x01\x02"); err != nil || !bytes.Equal(got, want) {
		t.Errorf("push %q, %v, want %q", got, err, want)
	}
	for text, want := range map[string]channels.Message{
		"\x00\x01\x03\x041r:asave\x01":     {JoinRef: "1", Topic: "r:a", Event: "save"},
		"\x01\x01\x02\x03\x02123r:aok\x01": {JoinRef: "1", Ref: "23", Topic: "r:a", Event: "phx_reply"},
		"\x02\x03\x04r:asave\x01":          {Topic: "r:a", Event: "save"},
	} {
		m, err := channels.DecodeBinary([]byte(text))
		if err != nil || m.JoinRef != want.JoinRef || m.Ref != want.Ref || m.Topic != want.Topic || m.Event != want.Event || !bytes.Equal(m.Binary, []byte{1}) {
			t.Errorf("DecodeBinary(%q) = %+v, %v, want %+v", text, m, err, want)
		}
		for cut := range len(text) - 1 {
			if m, err := channels.DecodeBinary([]byte(text[:cut])); err == nil {
				t.Errorf("DecodeBinary(%q) = %+v, want an error", text[:cut], m)
			}
		}
	}
	if _, err := channels.DecodeBinary([]byte{9}); err == nil {
		t.Error("a message of kind 9 is read")
	}
}

// A stamp is found in any field and behind any text, also one that looks like it.
func TestStamp(t *testing.T) {
	s := channels.Stamp{Writer: 7, Seq: 3, Intended: 1000, Sent: 1001}
	text := string(s.Append(nil))
	if want := "stamp-7-3-1000-1001-"; text != want {
		t.Fatalf("stamp %q, want %q", text, want)
	}
	for _, with := range []string{
		text, `{"body":"` + text + `"}`, `[null, null, "a", "b", {"message": {"text": "<b>stamp-1-2-` + text + `</b>"}}]`, "\x02\x01\x01ab" + text,
	} {
		if got, ok := channels.FindStamp([]byte(with)); !ok || got != s {
			t.Errorf("FindStamp(%q) = %+v, %t, want %+v", with, got, ok, s)
		}
	}
	for _, without := range []string{"", "stamp-", "stamp-7-3-1000-", "stamp-7-3-1000-1001", "stamp-7-x-1000-1001-", "stamp-7-3-1000-10010000000000000000000-"} {
		if got, ok := channels.FindStamp([]byte(without)); ok {
			t.Errorf("FindStamp(%q) = %+v, want none", without, got)
		}
	}
}
