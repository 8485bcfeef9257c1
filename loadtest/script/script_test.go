package script_test

import (
	"encoding/json"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/roost-rt/roost/loadtest/script"
)

// load reads app.yaml beside a few other files.
func load(text string) (script.Source, *script.Script, error) {
	files := fstest.MapFS{
		"app.yaml":     {Data: []byte(text)},
		"users.csv":    {Data: []byte("\xef\xbb\xbfid, token,room\nann,\"a\"\"1\",7\nbob,b2,8\n")},
		"users.jsonl":  {Data: []byte("{\"id\":1,\"tags\":[\"a\"]}\n\n{\"tags\":[],\"id\":2}\n")},
		"odd.csv":      {Data: []byte("id\n1\nx\n")},
		"ragged.jsonl": {Data: []byte("{\"id\":1}\n{\"name\":2}\n")},
	}
	env := func(name string) (string, bool) { return "of " + name, name == "KEY" }
	return script.Load("app.yaml", func(name string) ([]byte, error) { return fs.ReadFile(files, name) }, env)
}

const small = `
target: {url: "ws://127.0.0.1:4000/socket"}
topics:
  - topic: room:lobby
`

// What cannot be meant is refused with its line, and what to write instead.
func TestMistakes(t *testing.T) {
	for text, want := range map[string]string{
		"":                    "it is empty",
		small + "stepz: []\n": "line 5: no key stepz: did you mean steps?",
		small + "steps:\n  - push: a\n    paylod: {}\n":                                                     "line 7: no key steps[0].paylod: did you mean payload?",
		small + "steps:\n  - push: a\n    xyzzy: {}\n":                                                      "there are binary, broadcast, choose,",
		small + "steps:\n  - wait: soon\n":                                                                  `line 6: "soon" is no time to wait: want one such as 2s, or 1s..3s`,
		small + "rate: .inf\nsteps: [{push: a}]\n":                                                          "rate: want a number of rounds a second",
		small + "rate: 1\n":                                                                                 "rate: there are no steps",
		small + "rate: 1\nrounds: 1\nsteps: [{push: a}]\n":                                                  "rounds: with a rate, who is free makes the round that is due",
		small + "rate: 1\nstages: [{users: 5, for: 1s}]\nsteps: [{push: a}]\n":                              "rate: there are stages",
		small + "for: 10\n":                                                                                 `line 5: "10" is no time: want one such as 500ms`,
		small + "rounds: many\n":                                                                            `line 5: rounds: "many": want a whole number`,
		small + "steps:\n  - push: a\n    wait: 1s\n":                                                       "line 6: a step is one of push, join, leave, expect, wait, repeat and choose; this is push and wait",
		small + "steps:\n  - payload: {}\n":                                                                 "line 6: a step is one of",
		small + "steps:\n  - wait: 1s\n    payload: {a: 1}\n":                                               "line 6: payload does not belong to wait",
		small + "steps:\n  - push: a\n    topic: b\n":                                                       `line 6: topic "b" is none of those under topics: room:lobby`,
		small + "steps:\n  - push: a\n    payload: {body: \"{{nobody}}\"}\n":                                "line 7: {{nobody}} is not known: there are user.COLUMN",
		small + "steps:\n  - push: a\n    payload: {body: \"{{user.id}}\"}\n":                               "line 7: {{user.id}}: there is no table of users",
		small + "steps:\n  - push: a\n    payload: {body: \"{{n\"}\n":                                       "line 7: {{n: no }} follows",
		small + "steps:\n  - push: a\n    payload: {body: \"no {{n | number}}\"}\n":                         "line 7: {{n | number}}: with a filter it must be the whole text",
		small + "steps:\n  - push: a\n    payload: {body: \"{{random 6 1}}\"}\n":                            "want a least and a most number",
		small + "steps:\n  - push: a\n    payload: {body: \"{{saved.id}}\"}\n":                              "line 7: {{saved.id}}: no reply saves anything under that name",
		small + "steps:\n  - push: a\n    payload: {body: \"{{env.NONE}}\"}\n":                              "line 7: {{env.NONE}}: no such variable",
		small + "steps:\n  - push: a\n    broadcast: {}\n":                                                  "line 6: broadcast: it is known by its stamp: put {{stamp}}",
		small + "steps:\n  - push: a\n    reply: {status: fine}\n":                                          `line 6: reply.status: "fine": want ok or error`,
		small + "steps:\n  - push: a\n  - choose: [{steps: [{wait: 1s}]}, {steps: []}]\n":                   "steps: nothing in them takes time",
		small + "stages: [{users: 5}]\n":                                                                    "none of them takes any time",
		small + "stages: [{users: 5, for: 1s}, {users: 5, for: 1s, rate: 3}]\n":                             "either all stages have a rate or none",
		small + "for: 5s\nstages: [{users: 5, for: 1s}]\n":                                                  "for: the stages say how long",
		small + "users: {file: users.csv, count: 3}\n":                                                      "3 users, and 2 rows in users.csv: add rows, or say reuse: true",
		small + "users: {file: none.csv}\n":                                                                 "users.file: ",
		small + "users: {file: app.yaml}\n":                                                                 "want a name that ends in .csv or .jsonl",
		small + "users: {file: ragged.jsonl}\n":                                                             `ragged.jsonl: line 2: no "id", which the first line has`,
		small + "users: {file: odd.csv}\nsteps:\n  - push: a\n    payload: {n: \"{{user.id | number}}\"}\n": `{{user.id | number}} is "x", which is no number`,
		small + "users: {file: users.csv}\nsteps:\n  - push: a\n    payload: {n: \"{{user.name}}\"}\n":      "no such column: there are id, token, room",
		"target: {url: 127.0.0.1:4000}\n":                                                                   "target.url: want ws://host:port/socket",
		"target: {transport: pigeon}\n":                                                                     `target.transport: "pigeon": want websocket or longpoll`,
		"target: {vsn: 3.0.0}\n":                                                                            `target.vsn: "3.0.0": want 2.0.0 or 1.0.0`,
		"target: {vsn: 1.0.0}\ntopics: [{topic: a}]\nsteps:\n  - {push: a, binary: b}\n":                    "version 1.0.0 of the serializer has no binary messages",
		"topics: [{topic: a}, {topic: a}]\n":                                                                `topics[1]: "a" is there twice`,
		"steps: [{push: a}]\n":                                                                              "there are no topics",
		"target: {url: [}\n":                                                                                "did not find expected",
	} {
		if _, _, err := load(text); err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "app.yaml: ") {
			t.Errorf("%s\n= %v, want app.yaml and %q", text, err, want)
		}
	}
}

// Values are escaped as JSON, keep their types, and come from where the template says.
func TestTemplates(t *testing.T) {
	src, s, err := load(small + `
rounds: 1
users: {file: users.csv}
steps:
  - push: a
    payload:
      z: "I am \"{{user.id}}\" {{user.token}} <{{n}}>"
      a: [1, 2.5, true, null, "7", "{{user.room | number}}", "{{user.room}}", "{{env.KEY}}", "{{round}}"]
      nested: {x: "{{stamp}}"}
`)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"z":"I am \"ann\" a\"1 <1>","a":[1,2.5,true,null,"7",7,"7","of KEY","3"],"nested":{"x":"stamp-1-2-3-4-"}}`
	scope := script.Scope{Script: s, N: 1, Round: 3, Stamp: []byte("stamp-1-2-3-4-")}
	got, err := scope.JSON(s.Steps[0].Payload)
	if err != nil || !json.Valid(got) || string(got) != strings.Replace(want, `a"1`, `a\"1`, 1) {
		t.Errorf("payload %s, %v, want %s", got, err, want)
	}
	src = src.Part(1, 1) // as another process has it
	part, err := src.Script()
	if err != nil {
		t.Fatal(err)
	}
	scope = script.Scope{Script: part, N: 2}
	if got, err := scope.JSON(part.Steps[0].Payload); err != nil || !strings.Contains(string(got), `\"bob\" b2 <2>`) {
		t.Errorf("payload of the second user %s, %v", got, err)
	}
}

func TestExpressions(t *testing.T) {
	_, s, err := load(small + `
users: {file: users.jsonl}
steps:
  - push: a
    payload: {r: "{{random 3 4}}", u: "{{uuid}}", t: "{{now | number}}", tags: "{{user.tags | json}}", id: "{{user.id}}"}
    reply: {save: {room: data.room}}
  - push: b
    payload: {room: "{{saved.room | json}}", name: "{{saved.room}}"}
`)
	if err != nil {
		t.Fatal(err)
	}
	scope := script.Scope{Script: s, N: 1}
	got, err := scope.JSON(s.Steps[0].Payload)
	var v struct {
		R, U string
		T    float64
		Tags []string
		ID   string
	}
	if err == nil {
		err = json.Unmarshal(got, &v)
	}
	if err != nil || v.R != "3" && v.R != "4" || len(v.U) != 36 || v.U[14] != '4' || v.T < 1e12 || !slices.Equal(v.Tags, []string{"a"}) || v.ID != "1" {
		t.Errorf("payload %s = %+v, %v", got, v, err)
	}
	if _, err := scope.JSON(s.Steps[1].Payload); err == nil || !strings.Contains(err.Error(), "no reply was saved under that name yet") {
		t.Errorf("what was not saved yet: %v", err)
	}
	scope.Saved = map[string]json.RawMessage{"room": json.RawMessage(`"r\"7"`)}
	if got, err := scope.JSON(s.Steps[1].Payload); err != nil || string(got) != `{"room":"r\"7","name":"r\"7"}` {
		t.Errorf("payload %s, %v, want what was saved", got, err)
	}
}

func TestMatches(t *testing.T) {
	for _, test := range []struct {
		got, want string
		ok        bool
	}{
		{`{"a":1,"b":{"c":[1,"x"],"d":2}}`, `{"b":{"c":[1,"x"]}}`, true},
		{`{"a":1}`, `{}`, true},
		{`{"a":1.0}`, `{"a":1}`, true},
		{`{"a":"1"}`, `{"a":1}`, false},
		{`{"a":[1,2]}`, `{"a":[1]}`, false},
		{`{}`, `{"a":null}`, false},
		{`{"a":null}`, `{"a":null}`, true},
		{`{"id":1234567890123456789}`, `{"id":1234567890123456789}`, true},
		{`{"id":1234567890123456788}`, `{"id":1234567890123456789}`, false},
		{`{"id":12345678901234567890}`, `{"id":12345678901234567890}`, true},
		{`{"x":1e2}`, `{"x":100}`, true},
		{`{"x":0.5}`, `{"x":0.50}`, true},
		{`{"x":-0.0}`, `{"x":0}`, true},
		{`{"x":true}`, `{"x":"true"}`, false},
		{`{"x":{"y":1}}`, `{"x":1}`, false},
		{`{"x":1}`, `{"x":{}}`, false},
		{`[[1,2],[3]]`, `[[1,2],[3]]`, true},
		{`[[1,2],[3]]`, `[[1,2],[4]]`, false},
		{`"text"`, `"text"`, true},
		{`{"a":1} x`, `{"a":1}`, false},
		{`nonsense`, `{}`, false},
		{`[]`, `{"a":1}`, false},
	} {
		if got := script.Matches(json.RawMessage(test.got), json.RawMessage(test.want)); got != test.ok {
			t.Errorf("Matches(%s, %s) = %t, want %t", test.got, test.want, got, test.ok)
		}
	}
}

func TestStages(t *testing.T) {
	_, s, err := load(small + `
stages:
  - {for: 10s, users: 100, rate: 20}  # a ramp
  - {for: 10s, users: 100, rate: 20}
  - {users: 300, rate: 60}            # a spike
  - {for: 5s, users: 300, rate: 60}
  - {for: 10s, users: 0, rate: 0}
`)
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Length(); got != 35*time.Second {
		t.Errorf("length %v, want 35 s", got)
	}
	if got := s.Count(); got != 300 {
		t.Errorf("%d users at most, want 300", got)
	}
	for _, test := range []struct {
		at            time.Duration
		users, rounds float64
	}{
		{0, 0, 0}, {5 * time.Second, 50, 25}, {10 * time.Second, 100, 100}, {15 * time.Second, 100, 200},
		{20 * time.Second, 300, 300}, {25 * time.Second, 300, 600}, {30 * time.Second, 150, 825}, {35 * time.Second, 0, 900}, {time.Hour, 0, 900},
	} {
		if users, rounds := s.At(test.at); users != test.users || rounds != test.rounds {
			t.Errorf("At(%v) = %v users, %v rounds, want %v and %v", test.at, users, rounds, test.users, test.rounds)
		}
	}
}

// A rate over a time, as the file has it or as a run is told instead of its stages.
func TestRate(t *testing.T) {
	const steps = small + "steps: [{push: a}]\n"
	for _, test := range []struct {
		text   string
		rate   float64
		length script.Time
		users  float64
		rounds float64 // at the end
		long   time.Duration
	}{
		{steps + "rate: 5\nfor: 4s\n", 0, 0, 10, 20, 4 * time.Second},
		{steps + "rate: 5\n", 0, 0, 10, 150, 30 * time.Second},
		{steps + "rate: 5\nfor: 4s\n", 8, script.Time(time.Second), 10, 8, time.Second},
		{steps + "rounds: 3\n", 2, script.Time(10 * time.Second), 10, 20, 10 * time.Second},
		{steps + "stages: [{for: 2s, users: 7, rate: 9}, {for: 2s, users: 3, rate: 9}]\n", 4, 0, 7, 16, 4 * time.Second},
	} {
		src, _, err := load(test.text)
		if err != nil {
			t.Fatal(err)
		}
		src.Rate, src.For = test.rate, test.length
		s, err := src.Script()
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if users, rounds := s.At(time.Hour); !s.Paced() || users != test.users || rounds != test.rounds || s.Length() != test.long {
			t.Errorf("%s with %v, %v: %v users, %v rounds in %v, want %v, %v and %v", test.text, test.rate, time.Duration(test.length), users, rounds, s.Length(), test.users, test.rounds, test.long)
		}
		if _, half := s.At(test.long / 2); half != test.rounds/2 {
			t.Errorf("%s: %v rounds in half of the time, want %v", test.text, half, test.rounds/2)
		}
	}
	src, _, err := load(steps + "stages: [{for: 2s, users: 7, rate: 9}]\n")
	if err != nil {
		t.Fatal(err)
	}
	src.For = script.Time(time.Second)
	if _, err := src.Script(); err == nil || !strings.Contains(err.Error(), "leave -for out, or say with -rate") {
		t.Errorf("stages with another length: %v", err)
	}
}

// A certificate has its key, and who trusts anybody needs no authority.
func TestTLSMistakes(t *testing.T) {
	for tls, want := range map[string]string{
		"{cert: a.pem}":               "cert and key: a certificate needs its private key",
		"{key: a.key}":                "cert and key: a certificate needs its private key",
		"{insecure: true, ca: a.pem}": "insecure and ca: the one takes any certificate",
		"{cert: a.pem, key: a.key, ca: ca.pem, serverName: a, resume: true}": "",
	} {
		src := script.Source{Text: []byte("target: {url: wss://a/, tls: " + tls + "}\ntopics: [{topic: a}]\n")}
		if _, err := src.Script(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), "target.tls: "+want) {
			t.Errorf("tls: %s: %v, want %q", tls, err, want)
		}
	}
}
