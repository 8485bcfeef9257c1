package script_test

import (
	"encoding/json"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/script"
)

// payloadOf makes a user's payload of one in YAML.
func payloadOf(t *testing.T, yaml string) string {
	t.Helper()
	_, s, err := load(small + "rounds: 1\nusers: {file: users.csv}\nsteps:\n  - push: a\n    payload: " + yaml + "\n")
	if err != nil {
		t.Fatalf("%s: %v", yaml, err)
	}
	scope := script.Scope{Script: s, N: 2, Round: 5}
	got, err := scope.JSON(s.Steps[0].Payload)
	if err != nil {
		t.Fatalf("%s: %v", yaml, err)
	}
	if !json.Valid(got) {
		t.Fatalf("%s becomes %s, which is no JSON", yaml, got)
	}
	return string(got)
}

// YAML becomes the JSON that it looks like: numbers with all their digits, in the
// order of the file.
func TestPayloads(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"{}":                                  `{}`,
		"[]":                                  `[]`,
		"[1, two, \"3\"]":                     `[1,"two","3"]`,
		"{z: 1, a: 2, m: {y: 1, b: 2}}":       `{"z":1,"a":2,"m":{"y":1,"b":2}}`,
		"{a: true, b: false, c: null, d: ~}":  `{"a":true,"b":false,"c":null,"d":null}`,
		"{a: yes, b: no, c: on}":              `{"a":"yes","b":"no","c":"on"}`, // YAML 1.2
		"{a: \"true\", b: 'null'}":            `{"a":"true","b":"null"}`,
		"{a: 123456789012345678901234567890}": `{"a":123456789012345678901234567890}`,
		"{a: 18446744073709551615, b: -0.10, c: 1e3, d: 1.0}":   `{"a":18446744073709551615,"b":-0.10,"c":1e3,"d":1.0}`,
		"{a: 0x10, b: 0o17, c: 1_000, d: +5, e: .5}":            `{"a":16,"b":15,"c":1000,"d":5,"e":0.5}`,
		"{a: 0, b: -0, c: 0.5}":                                 `{"a":0,"b":-0,"c":0.5}`,
		"{a: 2024-02-29, b: 2024-02-29T10:00:00Z}":              `{"a":"2024-02-29","b":"2024-02-29T10:00:00Z"}`,
		"{a: \"<b>&\", b: \"\\u00e9\\n\\\"\"}":                  `{"a":"<b>&","b":"é\n\""}`,
		"{1: a, true: b, null: c, 2024-02-29: d}":               `{"1":"a","true":"b","null":"c","2024-02-29":"d"}`,
		"{\"a b\": {\"<\": 1}}":                                 `{"a b":{"<":1}}`,
		"{\"u{{n}}\": 1, \"{{user.id}}\": {\"{{round}}\": 2}}":  `{"u2":1,"bob":{"5":2}}`,
		"{a: &x {b: 1}, c: *x, d: [*x]}":                        `{"a":{"b":1},"c":{"b":1},"d":[{"b":1}]}`,
		"{k: &k key, v: {*k : 1}}":                              `{"k":"key","v":{"key":1}}`,
		"{base: &b {x: 1, y: 2}, own: {<<: *b, y: 3, z: 4}}":    `{"base":{"x":1,"y":2},"own":{"y":3,"z":4,"x":1}}`,
		"{a: &a {x: 1}, b: &b {x: 2, y: 2}, c: {<<: [*a, *b]}}": `{"a":{"x":1},"b":{"x":2,"y":2},"c":{"x":1,"y":2}}`,
		"\"{{n}}\"":          `"2"`,
		"\"{{n | number}}\"": `2`,
		"7":                  `7`,
		"{a: \"{{ n }}\", b: \"{{n|number}}\", c: \"{{  user.room|json  }}\"}": `{"a":"2","b":2,"c":8}`,
		"{a: \"{{user.id}}{{user.id}} {{round}}.\"}":                           `{"a":"bobbob 5."}`,
		"{a: \"{ {n} }\", b: \"}}\", c: \"{n}\"}":                              `{"a":"{ {n} }","b":"}}","c":"{n}"}`,
		"|\n      two\n      lines":                                            `"two\nlines\n"`,
	} {
		if got := payloadOf(t, yaml); got != want {
			t.Errorf("payload %s becomes %s, want %s", yaml, got, want)
		}
	}
}

// What JSON has not, or what nobody can know the meaning of, is refused.
func TestPayloadsThatAreNone(t *testing.T) {
	t.Parallel()
	for yaml, want := range map[string]string{
		"{a: .inf}":                                  `line 9: ".inf" cannot be JSON`,
		"{a: .nan}":                                  "cannot be JSON",
		"{zip: 01234}":                               "line 9: 01234: is that a text? Then put it in quotes, else leave out the zero",
		"{a: [00]}":                                  "00: is that a text?",
		"{a: \"{{n | number}} times\"}":              "with a filter it must be the whole text",
		"{\"{{n | number}}\": 1}":                    "a filter is for values, not for keys",
		"{\"{{nobody}}\": 1}":                        "{{nobody}} is not known",
		"{? [a, b] : 1}":                             "invalid map key",
		"{a: \"{{}}\"}":                              "{{}} is not known",
		"{a: \"{{user}}\"}":                          "{{user}} is not known",
		"{a: \"{{user.}}\"}":                         "{{user.}} is not known",
		"{a: \"{{n.x}}\"}":                           "{{n.x}} is not known",
		"{a: \"{{n 1 2}}\"}":                         "{{n 1 2}} is not known",
		"{a: \"{{random 1}}\"}":                      "{{random 1}} is not known",
		"{a: \"{{random 2 1}}\"}":                    "want a least and a most number",
		"{a: \"{{random 0 99999999999999999999}}\"}": "want a least and a most number",
		"{a: \"{{random -9223372036854775808 9223372036854775807}}\"}": "want a least and a most number",
		"{a: \"{{n | text}}\"}":                 "{{n | text}} is not known",
		"{a: \"{{N}}\"}":                        "{{N}} is not known",
		"{a: \"{{env.MISSING}} {{env.GONE}}\"}": "{{env.GONE}}: no such variable in the environment",
		"{a: \"{{user.nobody}}\"}":              "no such column: there are id, token, room",
		"{a: \"{{user.token | number}}\"}":      `{{user.token | number}} is "a\"1", which is no number`,
		"{a: \"{{user.id | json}}\"}":           `{{user.id | json}} is "ann", which is no JSON`,
	} {
		reads(t, small+"rounds: 1\nusers: {file: users.csv}\nsteps:\n  - push: a\n    payload: "+yaml+"\n", want)
	}
}

// Texts, such as topics and headers, have no filters, and are what they were where
// there is nothing to fill in.
func TestTexts(t *testing.T) {
	t.Parallel()
	reads(t, "topics: [{topic: \"{{n | number}}\"}]\n", "{{n | number}}: a filter is for payloads")
	reads(t, "target: {headers: {A: {b: c}}}\n", "want a text here")
	reads(t, "topics: [{topic: \"\"}]\n", "topics[0]: no topic")
	_, s, err := load("target: {url: ws://a/, headers: {X: \"a\\\"{{n}}\\\"\", Y: 7, Z: ''}}\nusers: {file: users.csv}\ntopics: [{topic: \"{{user.id}}:{{user.token}}\"}]\n")
	if err != nil {
		t.Fatal(err)
	}
	scope := script.Scope{Script: s, N: 1}
	for name, want := range map[string]string{"X": `a"1"`, "Y": "7", "Z": ""} {
		if got, err := scope.Text(s.Target.Headers[name]); err != nil || got != want {
			t.Errorf("header %s is %q, %v, want %q", name, got, err, want)
		}
	}
	if got, err := scope.Text(s.Topics[0].Topic); err != nil || got != `ann:a"1` {
		t.Errorf("topic %q, %v", got, err)
	}
	if s.Topics[0].Topic.String() != "{{user.id}}:{{user.token}}" || s.Topics[0].As != s.Topics[0].Topic.String() {
		t.Errorf("topic %s is called %s", s.Topics[0].Topic, s.Topics[0].As)
	}
}

// What is by chance is within its bounds, and each of them comes.
func TestChance(t *testing.T) {
	t.Parallel()
	_, s, err := load(small + `rounds: 1
steps:
  - {push: a, payload: ["{{random -1 1 | number}}", "{{random 7 7 | number}}", "{{random | number}}", "{{uuid}}", "{{now | number}}"]}
`)
	if err != nil {
		t.Fatal(err)
	}
	uuid := regexp.MustCompile(`^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`) // RFC 9562 §5.4
	scope := script.Scope{Script: s, N: 1}
	numbers, uuids := make(map[int]int), make(map[string]bool)
	before := time.Now().UnixMilli()
	for range 500 {
		text, err := scope.JSON(s.Steps[0].Payload)
		if err != nil {
			t.Fatal(err)
		}
		var got []any
		if err := json.Unmarshal(text, &got); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		numbers[int(got[0].(float64))]++
		uuids[got[3].(string)] = true
		if got[1] != 7. || got[2].(float64) < 0 || got[2].(float64) > math.MaxInt32 || !uuid.MatchString(got[3].(string)) {
			t.Fatalf("by chance %s", text)
		}
		if now := int64(got[4].(float64)); now < before || now > time.Now().UnixMilli() {
			t.Fatalf("now is %d, and it is %d", now, time.Now().UnixMilli())
		}
	}
	if len(numbers) != 3 || numbers[-1] < 50 || numbers[0] < 50 || numbers[1] < 50 || len(uuids) != 500 {
		t.Errorf("of -1, 0 and 1 came %v; %d UUIDs of 500 differ", numbers, len(uuids))
	}
}

// A reply is itself with json, and its text without.
func TestSaved(t *testing.T) {
	t.Parallel()
	_, s, err := load(small + `rounds: 1
steps:
  - {push: a, reply: {save: {v: x}}, payload: {text: "{{saved.v}}", json: "{{saved.v | json}}"}}
  - {push: a, payload: "{{saved.v | number}}"}
`)
	if err != nil {
		t.Fatal(err)
	}
	for saved, want := range map[string]string{
		`"a\"b"`:                  `{"text":"a\"b","json":"a\"b"}`,
		`7`:                       `{"text":"7","json":7}`,
		`null`:                    `{"text":"","json":null}`,
		`true`:                    `{"text":"true","json":true}`,
		`{"a":[1]}`:               `{"text":"{\"a\":[1]}","json":{"a":[1]}}`,
		`""`:                      `{"text":"","json":""}`,
		`12345678901234567890123`: `{"text":"12345678901234567890123","json":12345678901234567890123}`,
	} {
		scope := script.Scope{Script: s, N: 1, Saved: map[string]json.RawMessage{"v": json.RawMessage(saved)}}
		if got, err := scope.JSON(s.Steps[0].Payload); err != nil || string(got) != want {
			t.Errorf("with %s saved: %s, %v, want %s", saved, got, err, want)
		}
	}
	for saved, want := range map[string]string{`7`: "7", `"7"`: "7", `"7.5e3"`: "7.5e3", `"x"`: "", `"0x7"`: "", `null`: "", `"NaN"`: "", `" 7"`: "", `{}`: ""} {
		scope := script.Scope{Script: s, N: 1, Saved: map[string]json.RawMessage{"v": json.RawMessage(saved)}}
		if got, err := scope.JSON(s.Steps[1].Payload); (err == nil) != (want != "") || string(got) != want {
			t.Errorf("the number of %s: %s, %v, want %q", saved, got, err, want)
		}
	}
	empty := script.Scope{Script: s, N: 1}
	if got, err := empty.JSON(script.Payload{}); err != nil || string(got) != "{}" {
		t.Errorf("no payload is %s, %v, want {}", got, err)
	}
}

// A field is found by its path, as it stands there.
func TestField(t *testing.T) {
	t.Parallel()
	const text = `{"a": {"b": [1, 2], "": 3, "n": null}, "t": "x", "a.b": 4}`
	for path, want := range map[string]string{
		"a.b": "[1, 2]", "t": `"x"`, "a.n": "null", "a.": "3", "a": `{"b": [1, 2], "": 3, "n": null}`,
		"b": "none", "a.b.c": "none", "t.x": "none", "a.n.x": "none", "a.b.0": "none", "": "none",
	} {
		got, ok := script.Field(json.RawMessage(text), strings.Split(path, "."))
		if ok != (want != "none") || ok && string(got) != want {
			t.Errorf("%q is %s, %t, want %s", path, got, ok, want)
		}
	}
	if got, ok := script.Field(json.RawMessage(`[1]`), nil); !ok || string(got) != "[1]" {
		t.Errorf("without a path %s, %t, want all", got, ok)
	}
	if _, ok := script.Field(json.RawMessage(`nonsense`), []string{"a"}); ok {
		t.Error("nonsense has a field")
	}
	if script.Matches(json.RawMessage(`nonsense`), json.RawMessage(`{}`)) || script.Matches(json.RawMessage(`{}`), json.RawMessage(`nonsense`)) {
		t.Error("nonsense matches")
	}
}

// At any moment of any stages the users are between those of their ends, and the
// rounds are the area below the rate: never fewer than before.
func TestStagesAreAnArea(t *testing.T) {
	t.Parallel()
	for _, stages := range []string{
		"[{for: 2s, users: 10, rate: 5}]",
		"[{users: 10, rate: 5}, {for: 3s, users: 10, rate: 5}]",
		"[{for: 1s, users: 4, rate: 8}, {users: 20, rate: 40}, {for: 500ms, users: 20, rate: 40}, {for: 1s, users: 0, rate: 0}]",
		"[{for: 300ms, users: 3, rate: 0}, {for: 700ms, users: 3, rate: 0.5}, {users: 1, rate: 100}, {for: 1s, users: 1, rate: 100}]",
		"[{for: 1s, users: 5}, {for: 1s, users: 1}]", // without a rate there are no rounds that are due
	} {
		_, s, err := load(small + "steps: [{push: a, reply: {}}]\nstages: " + stages + "\n")
		if err != nil {
			t.Fatal(err)
		}
		const step = time.Millisecond
		rate := func(at time.Duration) float64 { // as it is read off the line
			return rateOf(s, at)
		}
		var area, before float64
		for at := time.Duration(0); at < s.Length(); at += step {
			users, rounds := s.At(at)
			if users < 0 || users > float64(s.Count()) || rounds < before {
				t.Fatalf("%s: at %v %v users of %d and %v rounds, after %v", stages, at, users, s.Count(), rounds, before)
			}
			if math.Abs(rounds-area) > 0.01 {
				t.Fatalf("%s: at %v %v rounds are due, and the area is %v", stages, at, rounds, area)
			}
			before = rounds
			area += rate(at+step/2) * step.Seconds()
		}
		_, end := s.At(s.Length())
		if _, later := s.At(time.Hour); later != end || math.Abs(end-area) > 0.01 {
			t.Errorf("%s: %v rounds at the end, %v later, and the area is %v", stages, end, later, area)
		}
	}
}

// rateOf is the rate at a moment, between those of its stage's ends.
func rateOf(s *script.Script, at time.Duration) float64 {
	was, begin := 0., time.Duration(0)
	for _, stage := range s.Stages {
		if stage.Rate == nil {
			return 0
		}
		length := time.Duration(stage.For)
		if at < begin+length {
			return was + (*stage.Rate-was)*float64(at-begin)/float64(length)
		}
		begin, was = begin+length, *stage.Rate
	}
	return 0
}

// How many users there are: what is said, or as many as the stages need, or rows, or
// ten.
func TestCount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		text        string
		count, most int
	}{
		{"", 10, 0},
		{"users: {count: 3}", 3, 0},
		{"users: {file: users.csv}", 2, 2},
		{"users: {file: users.csv, count: 1}", 1, 2},
		{"users: {file: users.csv, count: 9, reuse: true}", 9, 0},
		{"stages: [{for: 1s, users: 4}, {for: 1s, users: 7}, {for: 1s, users: 2}]", 7, 0},
		{"users: {count: 30}\nstages: [{for: 1s, users: 4}]", 30, 0},
		{"users: {file: users.csv}\nstages: [{for: 1s, users: 1}]", 1, 2},
	} {
		_, s, err := load(small + test.text + "\n")
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if s.Count() != test.count || s.Most() != test.most {
			t.Errorf("%s: %d users, at most %d, want %d and %d", test.text, s.Count(), s.Most(), test.count, test.most)
		}
		for users := range 12 {
			if err := s.Fits(users); (err == nil) != (test.most == 0 || users <= test.most) {
				t.Errorf("%s: %d users: %v", test.text, users, err)
			}
		}
	}
}

// Each process gets the rows of its users alone, and they are the same rows.
func TestParts(t *testing.T) {
	t.Parallel()
	var rows [][]string
	for n := range 10 {
		rows = append(rows, []string{strconv.Itoa(n)})
	}
	src := script.Source{Text: []byte(small + "users: {file: a.csv, reuse: true}\nsteps: [{wait: 1s}]\n"), Columns: []string{"id"}, Rows: rows}
	src.Text = []byte(strings.Replace(string(src.Text), "room:lobby", `"{{user.id}}"`, 1))
	for _, part := range []struct{ first, count int }{{0, 10}, {0, 3}, {3, 4}, {7, 3}, {8, 5}, {23, 2}, {0, 25}, {5, 40}} {
		own := src.Part(part.first, part.count)
		if want := min(part.count, len(rows)); len(own.Rows) != want || own.First != part.first || len(src.Rows) != 10 {
			t.Fatalf("part %v has %d rows, want %d", part, len(own.Rows), want)
		}
		s, err := own.Script()
		if err != nil {
			t.Fatal(err)
		}
		for n := range part.count {
			scope := script.Scope{Script: s, N: part.first + n + 1}
			if got, err := scope.Text(s.Topics[0].Topic); err != nil || got != rows[(part.first+n)%10][0] {
				t.Errorf("part %v: user %d is %s, %v, want %s", part, scope.N, got, err, rows[(part.first+n)%10][0])
			}
		}
	}
	none := script.Source{Text: src.Text}
	if own := none.Part(4, 2); own.Rows != nil || own.First != 4 {
		t.Errorf("part of no rows: %+v", own)
	}
}

// A run is told which events of its users somebody waits for, and what is measured.
func TestWhatIsMeasured(t *testing.T) {
	t.Parallel()
	_, s, err := load(`
target: {url: ws://a/}
topics: [{topic: a}, {topic: b, as: bee, later: true}]
rounds: 1
steps:
  - {push: say, payload: {t: "{{stamp}}"}, reply: {}, broadcast: {event: said, topic: bee}}
  - {push: say, payload: {t: "{{stamp}}"}, broadcast: {to: self}}
  - repeat: {times: 2, steps: [{expect: came}, {join: bee}]}
  - choose: [{steps: [{leave: bee}]}, {steps: [{push: say, name: mine}, {wait: 1s}]}]
`)
	if err != nil {
		t.Fatal(err)
	}
	want := []script.Meter{
		{Name: "join a", What: "join"}, {Name: "join bee", What: "join"},
		{Name: "push say", What: "reply"}, {Name: "push say", What: "broadcast"}, {Name: "push say", What: "push"}, {Name: "push say (2)", What: "broadcast"},
		{Name: "expect came", What: "event"}, {Name: "leave bee", What: "leave"}, {Name: "mine", What: "push"},
	}
	if !slices.Equal(s.Meters, want) {
		t.Errorf("measured is\n%v, want\n%v", s.Meters, want)
	}
	if len(s.Marked) != 2 || !s.Marked["said"] || !s.Marked["say"] || len(s.Awaited) != 1 || !s.Awaited["came"] {
		t.Errorf("stamps come in %v, waited for is %v", s.Marked, s.Awaited)
	}
	join := s.Steps[2].Repeat.Steps[1]
	if join.Meter != 1 || join.At != 1 || s.Steps[0].Broadcast.At != 1 || s.Steps[0].At != 0 {
		t.Errorf("join is measured as %d at %d, the broadcast is at %d", join.Meter, join.At, s.Steps[0].Broadcast.At)
	}
}
