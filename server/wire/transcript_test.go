package wire_test

import (
	"encoding/json"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/wire"
)

// What real Phoenix received decodes to what encoding/json makes of it; what it
// sent is what the method for that kind of message appends.
func TestTranscripts(t *testing.T) {
	file, err := os.ReadFile("testdata/transcripts.txt")
	if err != nil {
		t.Fatal(err)
	}
	heading, messages := "", 0
	for line := range strings.Lines(string(file)) {
		line = strings.TrimSuffix(line, "\n")
		direction, text, _ := strings.Cut(line, " ")
		switch direction {
		case ">":
			s, want := parse(t, text)
			if got := shown(decode(t, s, []byte(text), false)); got != want.show() {
				t.Errorf("%s: Decode(%s) = %+v, want %+v", heading, text, got, want.show())
			}
		case "<":
			s, want := parse(t, text)
			if got := want.encode(t, s); !sameJSON(t, got, []byte(text)) {
				t.Errorf("%s: encoded %s, want %s", heading, got, text)
			}
		default:
			heading = line
			continue
		}
		messages++
	}
	if messages < 50 {
		t.Errorf("found %d messages, want the 50 and more of appendix A", messages)
	}
}

// A recorded message is read by encoding/json, independent of our own decoder.
type recorded struct {
	JoinRef json.RawMessage `json:"join_ref"`
	Ref     json.RawMessage `json:"ref"`
	Topic   string          `json:"topic"`
	Event   string          `json:"event"`
	Payload json.RawMessage `json:"payload"`
}

func parse(t *testing.T, text string) (wire.Serializer, recorded) {
	t.Helper()
	var r recorded
	var s wire.Serializer = wire.V1{}
	var into any = &r
	if text[0] == '[' {
		s, into = wire.V2{}, &[]any{&r.JoinRef, &r.Ref, &r.Topic, &r.Event, &r.Payload}
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return s, r
}

func (r recorded) show() show {
	return show{JoinRef: string(ref(r.JoinRef)), Ref: string(ref(r.Ref)), Topic: r.Topic, Event: r.Event, Payload: string(r.Payload)}
}

// encode appends r with the method for its kind, the way a server would.
func (r recorded) encode(t *testing.T, s wire.Serializer) (out []byte) {
	t.Helper()
	var err error
	payload := wire.Payload{Data: r.Payload}
	switch {
	case r.Event == "phx_reply":
		var reply struct {
			Status   string
			Response json.RawMessage
		}
		if err := json.Unmarshal(r.Payload, &reply); err != nil {
			t.Fatal(err)
		}
		out, _, err = s.AppendReply(nil, ref(r.JoinRef), ref(r.Ref), r.Topic, reply.Status, wire.Payload{Data: reply.Response})
	case r.Event == "phx_close" || r.Event == "phx_error":
		out, _, err = s.AppendEnd(nil, ref(r.JoinRef), r.Topic, r.Event, payload)
	case ref(r.JoinRef) == "":
		out, _, err = s.AppendBroadcast(nil, r.Topic, r.Event, payload)
	default:
		out, _, err = s.AppendPush(nil, ref(r.JoinRef), r.Topic, r.Event, payload)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func ref(token json.RawMessage) wire.Ref {
	if string(token) == "null" {
		return ""
	}
	return wire.Ref(token)
}

func sameJSON(t *testing.T, a, b []byte) bool {
	t.Helper()
	var x, y any
	if err := json.Unmarshal(a, &x); err != nil {
		t.Fatalf("%s: %v", a, err)
	}
	if err := json.Unmarshal(b, &y); err != nil {
		t.Fatalf("%s: %v", b, err)
	}
	return reflect.DeepEqual(x, y)
}
