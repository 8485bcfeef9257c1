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
		var elements []json.RawMessage
		valid := json.Unmarshal(data, &elements) == nil && len(elements) >= 5 && utf8.Valid(data)
		m, ok := checkDecode(t, wire.V2{}, data, valid)
		if !ok {
			return
		}
		checkParts(t, m, elements[0], elements[1], elements[2], elements[3], elements[4])
		checkReply(t, wire.V2{}, m)
		checkPush(t, wire.V2{}, m)
	})
}

func FuzzDecodeV1(f *testing.F) {
	f.Fuzz(func(t *testing.T, data []byte) {
		var members map[string]json.RawMessage
		valid := json.Unmarshal(data, &members) == nil && utf8.Valid(data)
		for _, name := range []string{"topic", "event", "payload", "ref"} {
			_, ok := members[name]
			valid = valid && ok
		}
		m, ok := checkDecode(t, wire.V1{}, data, valid)
		if !ok {
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
		if valid := refBinary(data); valid != (err == nil) || err != nil && !errors.Is(err, wire.ErrMalformed) {
			t.Fatalf("Decode(%q) = %v, want success: %v", data, err, valid)
		}
		checkClone(t, s, data, true)
		if err != nil {
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
		if err == nil {
			checkQuery(t, raw, params)
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

// checkDecode decodes a text frame, which must succeed if valid, and reports
// whether it did. Only a message that is nested too deep for us may fail then.
func checkDecode(t *testing.T, s wire.Serializer, data []byte, valid bool) (wire.Message, bool) {
	t.Helper()
	m, err := s.Decode(data, false)
	if err != nil && !errors.Is(err, wire.ErrMalformed) {
		t.Fatalf("Decode(%q) = %v, want ErrMalformed", data, err)
	}
	if valid != (err == nil) && !(valid && mayBeTooDeep(data)) {
		t.Fatalf("Decode(%q) = %v, want success: %v", data, err, valid)
	}
	checkClone(t, s, data, false)
	return m, err == nil
}

// mayBeTooDeep reports whether data has enough brackets to be nested deeper
// than we read.
func mayBeTooDeep(data []byte) bool {
	return bytes.Count(data, []byte("["))+bytes.Count(data, []byte("{")) > 1000
}

// checkClone wants a clone that outlives the bytes its message came from, and
// whose parts do not grow into each other.
func checkClone(t *testing.T, s wire.Serializer, data []byte, binary bool) {
	t.Helper()
	want, _ := s.Decode(data, binary)
	buf := bytes.Clone(data)
	m, _ := s.Decode(buf, binary)
	clone := m.Clone()
	for i := range buf {
		buf[i] = ^buf[i]
	}
	_ = append(clone.Payload.Data, '!')
	_ = append(clone.RawTopic, '!')
	if !reflect.DeepEqual(clone, want) {
		t.Errorf("Clone of %q = %+v, want %+v", data, clone, want)
	}
}

// refBinary reports whether data is a client push: spec §2.3, read literally.
func refBinary(data []byte) bool {
	if len(data) < 5 || data[0] != 0 {
		return false
	}
	rest := string(data[5:])
	for _, size := range data[1:5] {
		if len(rest) < int(size) || !utf8.ValidString(rest[:size]) {
			return false
		}
		rest = rest[size:]
	}
	return true
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

// checkReply answers m with its own payload and reads the answer back. The
// answer is one level deeper than the message was, which may be one more than
// we read, though not than we write: encoding/json reads ten times as many.
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
	if _, err := s.Decode(out, false); err != nil && mayBeTooDeep(out) && json.Valid(out) {
		return
	}
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

// checkQuery encodes params again and wants to read the same.
func checkQuery(t *testing.T, raw string, params map[string]any) {
	t.Helper()
	var pairs []string
	for key, value := range params {
		pairs = appendQuery(t, pairs, []string{key}, value)
	}
	encoded := strings.Join(pairs, "&")
	if got, err := wire.ParseQuery(encoded); err != nil || !reflect.DeepEqual(got, params) {
		t.Errorf("ParseQuery(%q) = %v, but ParseQuery(%q) = %v, %v", raw, params, encoded, got, err)
	}
}

// appendQuery appends a pair such as a[b][c]=1 for every string in value.
func appendQuery(t *testing.T, pairs []string, path []string, value any) []string {
	t.Helper()
	at := func(key string) []string { return append(path[:len(path):len(path)], key) }
	switch value := value.(type) {
	case map[string]any:
		for key, v := range value {
			pairs = appendQuery(t, pairs, at(key), v)
		}
	case []any:
		for _, v := range value {
			pairs = appendQuery(t, pairs, at(""), v)
		}
	case string:
		key := path[0]
		if len(path) > 1 {
			key += "[" + strings.Join(path[1:], "][") + "]"
		}
		pairs = append(pairs, url.QueryEscape(key)+"="+url.QueryEscape(value))
	default:
		t.Errorf("a parameter is %T, want map, list or string", value)
	}
	return pairs
}
