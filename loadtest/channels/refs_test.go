package channels_test

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/roost-rt/roost/loadtest/channels"
)

// Refs are texts for most servers, numbers for some, and null where there is none.
func TestRefs(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		`"1"`: "1", `1`: "1", `null`: "", `""`: "", `"null"`: "null", `" 1"`: " 1", `"\u0031"`: "1", `true`: "true", `{"a":1}`: `{"a":1}`, `12345678901234567890`: "12345678901234567890",
	} {
		for _, text := range []string{
			`[` + raw + `,` + raw + `,"t","e",{}]`,
			`{"topic":"t","event":"e","payload":{},"ref":` + raw + `,"join_ref":` + raw + `}`,
		} {
			m, err := channels.Decode([]byte(text))
			if err != nil || m.Ref != want || m.JoinRef != want || m.Topic != "t" || m.Event != "e" || string(m.Payload) != "{}" {
				t.Errorf("Decode(%s) = %+v, %v, want ref %q", text, m, err, want)
			}
		}
	}
	m, err := channels.Decode([]byte(`{"topic":"t","event":"e","payload":7}`)) // as version 1 leaves them out
	if err != nil || m.Ref != "" || m.JoinRef != "" || string(m.Payload) != "7" {
		t.Errorf("without refs: %+v, %v", m, err)
	}
}

// A reply has a status, which is a text.
func TestAnswer(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{"status":"ok","response":{"a":1}}`: `ok {"a":1}`,
		`{"response":[],"status":"error"}`:   `error []`,
		`{"status":"ok"}`:                    `ok `,
		`{"status":"ok","response":null}`:    `ok null`,
		`{"STATUS":"ok","response":1}`:       `ok 1`, // encoding/json takes either case
		`{"status":"","response":1}`:         "!reply: no status",
		`{"response":1}`:                     "!reply: no status",
		`{}`:                                 "!reply: no status",
		`null`:                               "!reply: no status",
		`{"status":1}`:                       "!reply: json: cannot unmarshal number",
		`[]`:                                 "!reply: json: cannot unmarshal array",
		`"ok"`:                               "!reply: json: cannot unmarshal string",
		`{"status":"ok"`:                     "!reply: unexpected end of JSON input",
		``:                                   "!reply: unexpected end of JSON input",
	} {
		m := channels.Message{Payload: json.RawMessage(payload)}
		a, err := m.Answer()
		if problem, fails := strings.CutPrefix(want, "!"); fails {
			if err == nil || !strings.HasPrefix(err.Error(), problem) {
				t.Errorf("the answer %s is %+v, %v, want %s", payload, a, err, problem)
			}
		} else if got := a.Status + " " + string(a.Response); err != nil || got != want {
			t.Errorf("the answer %s is %q, %v, want %q", payload, got, err, want)
		}
	}
	binary := channels.Message{IsBinary: true, Payload: []byte("error"), Binary: []byte{1}}
	if a, err := binary.Answer(); err != nil || a.Status != "error" || a.Response != nil {
		t.Errorf("a binary reply is %+v, %v", a, err)
	}
}

// What is shown to people is short, and text.
func TestExcerpt(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ text, want string }{
		{"", ""}, {"short", "short"}, {"a\xffb", "a?b"},
		{strings.Repeat("x", 100), strings.Repeat("x", 100)},
		{strings.Repeat("x", 101), strings.Repeat("x", 100) + "…"},
		{strings.Repeat("x", 99) + "é", strings.Repeat("x", 99) + "…"}, // cut within a letter
		{strings.Repeat("é", 60), strings.Repeat("é", 50) + "…"},
	} {
		if got := channels.Excerpt([]byte(test.text)); got != test.want || !utf8.ValidString(got) {
			t.Errorf("of %q is shown %q, want %q", test.text, got, test.want)
		}
	}
	long := channels.Answer{Response: json.RawMessage(`{"reason":"` + strings.Repeat("y", 300) + `"}`)}
	if got := long.Reason(); got != strings.Repeat("y", 100)+"…" {
		t.Errorf("of a long reason is shown %q", got)
	}
	if got := (channels.Answer{}).Reason(); got != "" {
		t.Errorf("of no response is shown %q", got)
	}
}

// Fields of binary messages have a byte for their size: longer ones are refused, and
// those of 255 bytes are not.
func TestBinarySizes(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 255} {
		m := channels.Message{JoinRef: strings.Repeat("j", size), Ref: strings.Repeat("r", size), Topic: strings.Repeat("t", size), Event: strings.Repeat("e", size), Binary: []byte("payload")}
		got, err := channels.EncodeBinary([]byte("before"), m)
		want := "before\x00" + strings.Repeat(string([]byte{byte(size)}), 4) + m.JoinRef + m.Ref + m.Topic + m.Event + "payload"
		if err != nil || string(got) != want {
			t.Errorf("with fields of %d bytes: %q, %v", size, got, err)
		}
	}
	long := strings.Repeat("x", 256)
	for _, m := range []channels.Message{{JoinRef: long}, {Ref: long}, {Topic: long}, {Event: long}} {
		if got, err := channels.EncodeBinary(nil, m); err == nil || got != nil || !strings.Contains(err.Error(), "has more than 255 bytes") {
			t.Errorf("with a field of 256 bytes: %q, %v", got, err)
		}
	}
}

// Whatever comes is read as a message or refused, and never ends the program.
func TestAnyBytes(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(11, 12))
	seeds := []string{
		`["1","7","room:a","phx_reply",{"status":"ok","response":{"a":1}}]`, `{"topic":"a","event":"b","payload":{},"ref":"1"}`,
		"\x01\x01\x02\x03\x02123r:aok\x01", "\x02\x03\x04r:asave\x01", "stamp-7-3a2-1000-1001-",
	}
	for range 3000 {
		text := []byte(seeds[random.IntN(len(seeds))])
		for range random.IntN(4) {
			switch at := random.IntN(len(text)); random.IntN(3) {
			case 0:
				text[at] = byte(random.IntN(256))
			case 1:
				text = text[:at+1]
			default:
				text = append(text[:at:at], text[min(len(text), at+1+random.IntN(3)):]...)
			}
			if len(text) == 0 {
				break
			}
		}
		if m, err := channels.Decode(text); err == nil {
			_, _ = m.Answer() // it fails or not
			if again, err := channels.Decode(channels.Encode(nil, channels.V2, channels.Message{JoinRef: m.JoinRef, Ref: m.Ref, Topic: m.Topic, Event: m.Event, Payload: m.Payload})); m.Topic != "" && m.Event != "" && len(m.Payload) > 0 && utf8.ValidString(m.Topic+m.Event+m.Ref+m.JoinRef) && (err != nil || again.Topic != m.Topic || again.Event != m.Event || again.Ref != m.Ref || again.JoinRef != m.JoinRef) {
				t.Fatalf("%q is %+v, and again %+v, %v", text, m, again, err)
			}
		}
		if m, err := channels.DecodeBinary(text); err == nil && !m.IsBinary {
			t.Fatalf("%q is a binary message that is none", text)
		}
		_, _ = channels.FindStamp(text) // there is one or not
	}
}

// Stamps are found in order, and no digit of theirs is of another.
func TestStampsAreReadBack(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(13, 14))
	for range 500 {
		s := channels.Stamp{Writer: random.Uint32(), Seq: random.Int32(), After: random.Int32() * int32(random.IntN(2)), Intended: random.Int64(), Sent: random.Int64()}
		text := s.Append([]byte("before stamp-1-"))
		text = append(text, "5-stamp-1-2-3-4-"...)
		got, ok := channels.FindStamp(text)
		if !ok || got != s {
			t.Fatalf("%s has %+v, %t, want %+v", text, got, ok, s)
		}
		if encoded, err := json.Marshal(string(text)); err != nil || !bytes.Contains(encoded, s.Append(nil)) {
			t.Fatalf("%s is escaped in JSON: %s", text, encoded)
		}
	}
}
