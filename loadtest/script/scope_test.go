package script_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/script"
)

// values evaluates the first payload of a script so often.
func values(t *testing.T, payload string, times int) (all []string) {
	t.Helper()
	_, s, err := load(small + "rounds: 1\nusers: {file: users.csv}\nsteps:\n  - push: a\n    payload: " + payload + "\n")
	if err != nil {
		t.Fatal(err)
	}
	for n := range times {
		scope := script.Scope{Script: s, N: n%2 + 1, Round: n + 1, Stamp: []byte("stamp-1-2-3-4-")}
		got, err := scope.JSON(s.Steps[0].Payload)
		if err != nil || !json.Valid(got) {
			t.Fatalf("%s is %s, %v", payload, got, err)
		}
		all = append(all, string(got))
	}
	return all
}

// A random number is between its bounds, both of which it reaches; any other is what
// the user and the round are.
func TestRandomNumbers(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`"{{random 0 0 | number}}"`:         "0",
		`"{{random 7 7}}"`:                  `"7"`,
		`"{{random -1 1 | number}}"`:        "-1 0 1",
		`"{{ random 1 3 }}"`:                `"1" "2" "3"`,
		`["{{n | number}}", "{{user.id}}"]`: `[1,"ann"] [2,"bob"]`,
		`"{{user.room | number}}"`:          "7 8",
	} {
		seen := make(map[string]bool)
		for _, v := range values(t, payload, 200) {
			seen[v] = true
		}
		expected := make(map[string]bool)
		for _, v := range strings.Fields(want) {
			expected[v] = true
		}
		if !maps.Equal(seen, expected) {
			t.Errorf("%s is %v, want %s", payload, seen, want)
		}
	}
	for _, payload := range []string{`"{{random | number}}"`, `"{{uuid}}"`, `"{{random -9223372036854775808 -4611686018427387905 | number}}"`} {
		seen := make(map[string]bool)
		for _, v := range values(t, payload, 50) {
			seen[v] = true
		}
		if len(seen) != 50 {
			t.Errorf("%s is %d values in 50 times", payload, len(seen))
		}
	}
	for _, payload := range []string{`"{{random 0 4611686018427387904}}"`, `"{{random 2 1}}"`, `"{{random 1 99999999999999999999}}"`} {
		reads(t, small+"rounds: 1\nsteps:\n  - push: a\n    payload: "+payload+"\n", "want a least and a most number")
	}
	for _, payload := range []string{`"{{random 1}}"`, `"{{n 1 2}}"`, `"{{user}}"`, `"{{n.x}}"`, `"{{}}"`, `"{{n | upper}}"`, `"{{n|number|json}}"`, `"{{N}}"`} {
		reads(t, small+"rounds: 1\nsteps:\n  - push: a\n    payload: "+payload+"\n", "is not known: there are user.COLUMN")
	}
}

// What was saved of a reply is used as what it was: a text as such, and JSON as JSON.
func TestSavedValues(t *testing.T) {
	t.Parallel()
	_, s, err := load(small + `
rounds: 1
steps:
  - {push: a, reply: {save: {x: id}}}
  - push: b
    payload: {text: "{{saved.x}}", json: "{{saved.x | json}}", in: "<{{saved.x}}>"}
  - push: c
    payload: "{{saved.x | number}}"
`)
	if err != nil {
		t.Fatal(err)
	}
	for raw, want := range map[string]string{
		`7`:                   `{"text":"7","json":7,"in":"<7>"} 7`,
		`"7"`:                 `{"text":"7","json":"7","in":"<7>"} 7`,
		`1234567890123456789`: `{"text":"1234567890123456789","json":1234567890123456789,"in":"<1234567890123456789>"} 1234567890123456789`,
		`"say \"hi\"\n"`:      `{"text":"say \"hi\"\n","json":"say \"hi\"\n","in":"<say \"hi\"\n>"} no number`,
		`{"a":[1]}`:           `{"text":"{\"a\":[1]}","json":{"a":[1]},"in":"<{\"a\":[1]}>"} no number`,
		`true`:                `{"text":"true","json":true,"in":"<true>"} no number`,
		`"0x10"`:              `{"text":"0x10","json":"0x10","in":"<0x10>"} no number`,
		`"Infinity"`:          `{"text":"Infinity","json":"Infinity","in":"<Infinity>"} no number`,
	} {
		scope := script.Scope{Script: s, Saved: map[string]json.RawMessage{"x": json.RawMessage(raw)}}
		object, err := scope.JSON(s.Steps[1].Payload)
		if err != nil {
			t.Fatal(err)
		}
		number, err := scope.JSON(s.Steps[2].Payload)
		got := string(object) + " " + string(number)
		if err != nil && strings.Contains(err.Error(), "which is no number") {
			got = string(object) + " no number"
		}
		if got != want {
			t.Errorf("%s is used as %s, %v, want %s", raw, got, err, want)
		}
	}
	scope := script.Scope{Script: s}
	if _, err := scope.JSON(s.Steps[1].Payload); err == nil || !strings.Contains(err.Error(), "{{saved.x}}: no reply was saved under that name yet") {
		t.Errorf("what was not saved: %v", err)
	}
	if empty, err := scope.JSON(script.Payload{}); err != nil || string(empty) != "{}" {
		t.Errorf("no payload is %s, %v, want {}", empty, err)
	}
}

// Payloads keep what YAML says as JSON: kinds, digits, keys and their order.
func TestPayloadsAsJSON(t *testing.T) {
	t.Parallel()
	for payload, want := range map[string]string{
		`{b: 1, a: 2}`:                              `{"b":1,"a":2}`,
		`{1: one, true: yes, null: none}`:           `{"1":"one","true":"yes","null":"none"}`,
		`[1.50, 1e3, -0, 12345678901234567890]`:     `[1.50,1e3,-0,12345678901234567890]`,
		`[0x10, 1_000, +5, .5]`:                     `[16,1000,5,0.5]`,
		`[2026-11-30, "2026-11-30"]`:                `["2026-11-30","2026-11-30"]`,
		`["a\tb", "ü", "</script>"]`:                `["a\tb","ü","</script>"]`,
		`{"{{n}}": "{{n}}"}`:                        `{"1":"1"}`,
		`{text: "{{stamp}} and {{round}}"}`:         `{"text":"stamp-1-2-3-4- and 1"}`,
		`{a: &x {b: 1}, c: *x, d: {<<: *x, e: 2}}`:  `{"a":{"b":1},"c":{"b":1},"d":{"e":2,"b":1}}`,
		`{a: &x {b: 1, c: 2}, d: {<<: [*x], b: 3}}`: `{"a":{"b":1,"c":2},"d":{"b":3,"c":2}}`,
		`[]`:                `[]`,
		`""`:                `""`,
		`"}} {n}} { {n} }"`: `"}} {n}} { {n} }"`,
	} {
		if got := values(t, payload, 1)[0]; got != want {
			t.Errorf("%s is %s, want %s", payload, got, want)
		}
	}
	for payload, want := range map[string]string{
		`[.inf]`:                "cannot be JSON",
		`[0123]`:                "is that a text? Then put it in quotes",
		`{"{{n | number}}": 1}`: "a filter is for values, not for keys",
		`"{{n | number}} more"`: "with a filter it must be the whole text",
		`"{{n}} {{n | json}}"`:  "with a filter it must be the whole text",
	} {
		reads(t, small+"rounds: 1\nsteps:\n  - push: a\n    payload: "+payload+"\n", want)
	}
}

// A field of a reply is found by its path, and nothing is where there is none.
func TestFields(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, path, want string }{
		{`{"a":{"b":[1,2]}}`, "a.b", "[1,2]"},
		{`{"a":{"b":null}}`, "a.b", "null"},
		{`{"a":1}`, "a", "1"},
		{`{"a":1}`, "b", ""},
		{`{"a":1}`, "a.b", ""},
		{`[1]`, "0", ""},
		{`null`, "a", ""},
		{`nonsense`, "a", ""},
		{`{"":1}`, "", "1"},
	} {
		got, ok := script.Field(json.RawMessage(test.in), strings.Split(test.path, "."))
		if string(got) != test.want || ok != (test.want != "") {
			t.Errorf("Field(%s, %s) = %s, %t, want %s", test.in, test.path, got, ok, test.want)
		}
	}
	if whole, ok := script.Field(json.RawMessage(`7`), nil); !ok || string(whole) != "7" {
		t.Errorf("no path is %s, %t, want all", whole, ok)
	}
}

// More users than rows take them in turn if the file says so, each process the rows of
// its own users.
func TestRowsAreTakenInTurn(t *testing.T) {
	t.Parallel()
	text := small + "rounds: 1\nusers: {file: users.csv, count: 5, reuse: true}\nsteps:\n  - push: a\n    payload: \"{{n}} {{user.id}}\"\n"
	src, whole, err := load(text)
	if err != nil {
		t.Fatal(err)
	}
	if whole.Most() != 0 || whole.Fits(1000) != nil || whole.Count() != 5 {
		t.Errorf("rows for %d users, %v, want for any number", whole.Most(), whole.Fits(1000))
	}
	for _, part := range []struct{ first, count int }{{0, 5}, {0, 1}, {1, 2}, {3, 2}, {4, 1}, {2, 3}} {
		part2 := src.Part(part.first, part.count)
		s, err := part2.Script()
		if err != nil {
			t.Fatal(err)
		}
		for i := range part.count {
			n := part.first + i + 1
			scope := script.Scope{Script: s, N: n}
			got, err := scope.JSON(s.Steps[0].Payload)
			if want := fmt.Sprintf("%q", fmt.Sprint(n, " ", []string{"ann", "bob"}[(n-1)%2])); err != nil || string(got) != want {
				t.Errorf("users %+v: user %d says %s, %v, want %s", part, n, got, err, want)
			}
		}
	}
	if len(src.Rows) != 2 {
		t.Errorf("the source has %d rows, want its own two still", len(src.Rows))
	}
}

// A script is told in a sentence.
func TestScriptInASentence(t *testing.T) {
	t.Parallel()
	const step = "steps: [{push: a}]\n"
	for text, want := range map[string]string{
		small: "users join room:lobby over websocket, and go through 0 steps for 30s",
		"target: {url: ws://a/, transport: longpoll}\nfor: 2m\n":                                  "users join no topic over longpoll, and go through 0 steps for 2m0s",
		small + "rounds: 3\n" + step:                                                              "users join room:lobby over websocket, and go through 1 steps until they have made their rounds, 3 at most each",
		small + "rounds: 3\nfor: 5s\n" + step:                                                     "users join room:lobby over websocket, and go through 1 steps for 5s, 3 at most each",
		small + "rate: 2.5\n" + step:                                                              "users join room:lobby over websocket, and go through 1 steps for 30s, 2.5 rounds a second over all",
		small + "stages: [{users: 5, for: 1s}, {users: 0, for: 2s}]\nsteps: [{wait: 1s}]\n":       "users join room:lobby over websocket, and go through 1 steps for 3s in 2 stages",
		small + "stages: [{users: 5, for: 1s, rate: 2}]\n" + step:                                 "users join room:lobby over websocket, and go through 1 steps for 1s in 1 stages, rounds at a given rate",
		"target: {url: ws://a/}\ntopics: [{topic: \"r:{{n}}\", as: mine}, {topic: b}]\nfor: 1s\n": "users join mine, b over websocket, and go through 0 steps for 1s",
	} {
		_, s, err := load(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.String(); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}
