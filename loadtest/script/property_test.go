package script_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/script"
)

// oddText is what a table of users may hold: JSON's own characters, controls, and
// letters of several bytes.
func oddText(r *rand.Rand) string {
	letters := []rune("a\"\\/{}[]:,'<&>\x00\n\t\u2028é世😀 ")
	var b strings.Builder
	for range r.IntN(20) {
		b.WriteRune(letters[r.IntN(len(letters))])
	}
	return b.String()
}

// Whatever a user is called, a payload is JSON that holds it, in a field, within a
// text, and as a key's neighbour; without quotes it is what it was.
func TestPayloadsHoldAnyText(t *testing.T) {
	t.Parallel()
	const text = "target: {url: ws://a/}\ntopics: [{topic: \"room:{{user.name}}\"}]\nrounds: 1\nsteps:\n" +
		"  - push: a\n    payload: {alone: \"{{user.name}}\", within: \"<{{user.name}}>\", list: [\"{{user.name}}\", {n: \"{{n | number}}\"}]}\n"
	r := rand.New(rand.NewPCG(1, 2))
	for range 50 {
		name := oddText(r)
		src := script.Source{Text: []byte(text), Columns: []string{"name"}, Rows: [][]string{{name}}}
		s, err := src.Script()
		if err != nil {
			t.Fatal(err)
		}
		scope := script.Scope{Script: s, N: 1}
		payload, err := scope.JSON(s.Steps[0].Payload)
		if err != nil {
			t.Fatal(err)
		}
		var got map[string]any
		if err := json.Unmarshal(payload, &got); err != nil {
			t.Fatalf("%q: %v in %s", name, err, payload)
		}
		want := map[string]any{"alone": name, "within": "<" + name + ">", "list": []any{name, map[string]any{"n": 1.0}}}
		if !reflect.DeepEqual(got, want) {
			t.Fatalf("%q: payload %s", name, payload)
		}
		if topic, err := scope.Text(s.Topics[0].Topic); err != nil || topic != "room:"+name {
			t.Fatalf("%q: topic %q, %v", name, topic, err)
		}
	}
}

// randomJSON is a value, of objects and lists within each other.
func randomJSON(r *rand.Rand, depth int) any {
	switch kind := r.IntN(6); {
	case depth == 0 || kind < 3:
		return []any{nil, true, 1.5, "x", float64(r.IntN(3)), strconv.Itoa(r.IntN(3))}[r.IntN(6)]
	case kind == 3:
		list := make([]any, r.IntN(3))
		for i := range list {
			list[i] = randomJSON(r, depth-1)
		}
		return list
	}
	fields := make(map[string]any)
	for i := range r.IntN(4) {
		fields[fmt.Sprint("f", i)] = randomJSON(r, depth-1)
	}
	return fields
}

// What is wanted matches itself and itself with more fields; with a field less, or
// another value, it does not. A field that is there is found by its path.
func TestMatchesIsForMoreFields(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(3, 4))
	matches := func(got, want any) bool {
		g, gotErr := json.Marshal(got)
		w, wantErr := json.Marshal(want)
		if gotErr != nil || wantErr != nil {
			t.Fatal(gotErr, wantErr)
		}
		return script.Matches(g, w)
	}
	for range 200 {
		inner := randomJSON(r, 3)
		if !matches(inner, inner) {
			t.Fatalf("%v does not match itself", inner)
		}
		want := map[string]any{"a": inner, "b": map[string]any{"c": inner}}
		more := map[string]any{"a": inner, "b": map[string]any{"c": inner, "more": 1}, "more": nil}
		less := map[string]any{"a": inner, "b": map[string]any{}}
		other := map[string]any{"a": inner, "b": map[string]any{"c": []any{"another", inner}}}
		if !matches(more, want) || matches(less, want) || matches(other, want) || matches(want, more) {
			t.Fatalf("with %v: more %v, less %v, another %v, itself against more %v, want only the first",
				inner, matches(more, want), matches(less, want), matches(other, want), matches(want, more))
		}
		text, err := json.Marshal(more)
		if err != nil {
			t.Fatal(err)
		}
		found, ok := script.Field(text, []string{"b", "c"})
		if expected, _ := json.Marshal(inner); !ok || string(found) != string(expected) {
			t.Fatalf("field b.c of %s is %s, %v", text, found, ok)
		}
		if _, ok := script.Field(text, []string{"b", "none"}); ok {
			t.Fatal("a field that is not there is found")
		}
	}
}

// Every sentence about a script names what there is of it.
func TestDescription(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"for: 5s\nsteps: [{wait: 1s}]":                                            "users join room:a over websocket, and go through 1 steps for 5s",
		"rounds: 3\nsteps: [{push: a}, {wait: 1s}]":                               "users join room:a over websocket, and go through 2 steps until they have made their rounds, 3 at most each",
		"for: 2s\nrate: 5\nsteps: [{push: a}]":                                    "users join room:a over websocket, and go through 1 steps for 2s, 5 rounds a second over all",
		"stages: [{users: 5, for: 1s}, {for: 2s, users: 1}]\nsteps: [{wait: 1s}]": "users join room:a over websocket, and go through 1 steps for 3s in 2 stages",
		"stages: [{users: 5, for: 1s, rate: 9}]\nsteps: [{push: a}]":              "users join room:a over websocket, and go through 1 steps for 1s in 1 stages, rounds at a given rate",
	} {
		src := script.Source{Text: []byte("target: {url: ws://a/}\ntopics: [{topic: \"room:a\"}]\n" + text + "\n")}
		s, err := src.Script()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := s.String(); got != want {
			t.Errorf("%s\n= %q, want %q", text, got, want)
		}
	}
}
