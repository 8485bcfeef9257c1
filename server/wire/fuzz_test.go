package wire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/wire"
)

// The seeds are in testdata/fuzz.

// FuzzDecodeV2 compares our splitter with encoding/json: the two must agree on
// what is a message, and on its parts.
func FuzzDecodeV2(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.V2{}.Decode(data, false)
		var elements []json.RawMessage
		valid := json.Unmarshal(data, &elements) == nil && len(elements) >= 5 && utf8.Valid(data)
		if !checkDecode(t, data, m, err, valid) {
			return
		}
		checkParts(t, m, elements[0], elements[1], elements[2], elements[3], elements[4])
		checkReply(t, wire.V2{}, m)
		checkPush(t, wire.V2{}, m)
	})
}

func FuzzDecodeV1(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := wire.V1{}.Decode(data, false)
		var members map[string]json.RawMessage
		valid := json.Unmarshal(data, &members) == nil && utf8.Valid(data)
		for _, name := range []string{"topic", "event", "payload", "ref"} {
			_, ok := members[name]
			valid = valid && ok
		}
		if !checkDecode(t, data, m, err, valid) {
			return
		}
		checkParts(t, m, members["join_ref"], members["ref"], members["topic"], members["event"], members["payload"])
		m.JoinRef = "" // not sent by version 1
		checkReply(t, wire.V1{}, m)
		m.Ref = "" // null in a push
		checkPush(t, wire.V1{}, m)
	})
}

// FuzzDecodeBinary: a message that decodes, encoded as a reply, is its input
// with another kind, because the two layouts are otherwise the same.
func FuzzDecodeBinary(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var s wire.V2
		m, err := s.Decode(data, true)
		if !checkDecode(t, data, m, err, err == nil) {
			return
		}
		reply := append([]byte{1}, data[1:]...)
		out, binary, err := s.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, m.Event, m.Payload)
		if err != nil || !binary || !bytes.Equal(out, reply) {
			t.Errorf("AppendReply of %+v = %q, %v, %v, want %q", m, out, binary, err, reply)
		}
		// And its refs are good JSON.
		m.Payload = wire.Payload{Data: []byte("{}")}
		checkReply(t, s, m)
	})
}

func FuzzParseQuery(f *testing.F) {
	f.Fuzz(func(t *testing.T, raw string) {
		params, err := wire.ParseQuery(raw)
		if (params == nil) != (err != nil) || err != nil && !errors.Is(err, wire.ErrQuery) {
			t.Fatalf("ParseQuery(%q) = %v, %v, want params or ErrQuery", raw, params, err)
		}
		// Without brackets it is net/url's decoder, but for who wins.
		flat, urlErr := url.ParseQuery(raw)
		if err != nil || urlErr != nil || strings.Contains(raw, "[") || strings.Contains(raw, "%5") {
			return
		}
		if len(params) != len(flat) {
			t.Errorf("ParseQuery(%q) = %v, want the keys of %v", raw, params, flat)
		}
		for key, values := range flat {
			if params[key] != values[len(values)-1] {
				t.Errorf("ParseQuery(%q)[%q] = %v, want the last of %q", raw, key, params[key], values)
			}
		}
	})
}

// checkDecode checks the outcome of a Decode and reports whether it succeeded.
func checkDecode(t *testing.T, data []byte, m wire.Message, err error, valid bool) bool {
	t.Helper()
	if err != nil && !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("Decode(%q) = %v, want ErrMalformed", data, err)
	}
	if deep := bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > 1000; valid != (err == nil) && !deep {
		t.Fatalf("Decode(%q) = %v, want success: %v", data, err, valid)
	}
	if clone := m.Clone(); !reflect.DeepEqual(clone, m) {
		t.Errorf("Clone = %+v, want %+v", clone, m)
	}
	return err == nil
}

// checkParts compares a message with the tokens that encoding/json found.
func checkParts(t *testing.T, m wire.Message, joinRef, ref_, topic, event, payload json.RawMessage) {
	t.Helper()
	want := show{JoinRef: string(ref(joinRef)), Ref: string(ref(ref_)), Event: string(event), Payload: string(payload)}
	if topic[0] != '"' {
		want.RawTopic = string(topic)
	} else if err := json.Unmarshal(topic, &want.Topic); err != nil {
		t.Fatal(err)
	}
	if event[0] == '"' {
		if err := json.Unmarshal(event, &want.Event); err != nil {
			t.Fatal(err)
		}
	}
	if got := shown(m); got != want {
		t.Errorf("decoded %+v, want %+v", got, want)
	}
}

// checkReply answers m with its own payload and reads the answer back.
func checkReply(t *testing.T, s wire.Serializer, m wire.Message) {
	t.Helper()
	out, _, err := s.AppendReply(nil, m.JoinRef, m.Ref, m.Topic, "ok", m.Payload)
	if m.RawTopic != nil {
		out, _, err = s.(wire.RawTopicReplier).AppendRawTopicReply(nil, m.JoinRef, m.Ref, m.RawTopic, "ok", m.Payload)
	}
	if err != nil {
		t.Fatal(err)
	}
	want := m
	want.Event = "phx_reply"
	want.Payload.Data = []byte(`{"status":"ok","response":` + string(m.Payload.Data) + `}`)
	if got := decode(t, s, out, false); shown(got) != shown(want) {
		t.Errorf("reply %q, want %+v", out, shown(want))
	}
}

// checkPush pushes m back and reads the push.
func checkPush(t *testing.T, s wire.Serializer, m wire.Message) {
	t.Helper()
	out, _, err := s.AppendPush(nil, m.JoinRef, m.Topic, m.Event, m.Payload)
	if isMap := m.Payload.Data[0] == '{'; isMap != (err == nil) {
		t.Fatalf("AppendPush of payload %q = %v", m.Payload.Data, err)
	}
	if err != nil {
		return
	}
	want := m
	want.Ref, want.RawTopic = "", nil
	if got := decode(t, s, out, false); shown(got) != shown(want) {
		t.Errorf("push %q, want %+v", out, shown(want))
	}
}
