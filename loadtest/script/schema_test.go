package script_test

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"github.com/roost-rt/roost/loadtest/script"
)

// A node is a part of a JSON schema, as far as ours has them.
type node struct {
	Ref         string `json:"$ref"`
	Type        any
	Description string
	Enum        []string
	Properties  map[string]*node
	Items       *node
	Additional  any              `json:"additionalProperties"`
	Defs        map[string]*node `json:"$defs"`
}

// The schema has the keys that the types have, no more and no fewer, each with a
// description and of the same kind: so editors complete what loadtest reads.
func TestSchema(t *testing.T) {
	var root node
	if err := json.Unmarshal(script.Schema, &root); err != nil {
		t.Fatal(err)
	}
	hold := holder{t, root.Defs, make(map[string]bool)}
	hold.same("", &root, reflect.TypeFor[script.Script]())
	for name := range root.Defs {
		if !hold.seen[name] {
			t.Errorf("the schema has %s, which nothing refers to", name)
		}
	}
}

type holder struct {
	*testing.T
	defs map[string]*node
	seen map[string]bool
}

func (h holder) same(path string, n *node, t reflect.Type) {
	h.Helper()
	description := n.Description
	if n.Ref != "" {
		name := n.Ref[len("#/$defs/"):]
		if h.seen[name] {
			return
		}
		h.seen[name] = true
		n = h.defs[name]
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if n == nil || description == "" && n.Description == "" {
		h.Errorf("%s: no description in the schema", path)
		return
	}
	leaf := reflect.PointerTo(t).Implements(reflect.TypeFor[yaml.Unmarshaler]()) && t != reflect.TypeFor[script.Step]()
	switch {
	case leaf:
	case t.Kind() == reflect.Struct:
		h.sameKeys(path, n, t)
	case t.Kind() == reflect.Slice && n.Items != nil:
		if t.Elem().Kind() != reflect.String {
			h.same(path+"[]", n.Items, t.Elem())
		}
	default:
		kinds := map[reflect.Kind]string{reflect.String: "string", reflect.Int: "integer", reflect.Float64: "number", reflect.Bool: "boolean", reflect.Map: "object"}
		if n.Type != kinds[t.Kind()] {
			h.Errorf("%s: type %v in the schema, want %s", path, n.Type, kinds[t.Kind()])
		}
	}
}

func (h holder) sameKeys(path string, n *node, t reflect.Type) {
	h.Helper()
	fields := make(map[string]reflect.Type)
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = t.Field(i).Type
		}
	}
	if got, want := slices.Sorted(maps.Keys(n.Properties)), slices.Sorted(maps.Keys(fields)); !slices.Equal(got, want) {
		h.Errorf("%s: keys %v in the schema, want %v", path, got, want)
	}
	if n.Additional != false {
		h.Errorf("%s: the schema lets other keys through", path)
	}
	for key, field := range fields {
		if child := n.Properties[key]; child != nil {
			h.same(path+"."+key, child, field)
		}
	}
}

// What the schema lets through as one of a few is what is read.
func TestSchemaEnums(t *testing.T) {
	var root node
	if err := json.Unmarshal(script.Schema, &root); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ def, key, before, after string }{
		{"Target", "transport", "target: {transport: ", "}"},
		{"Target", "vsn", "target: {vsn: ", "}"},
		{"Reply", "status", "topics: [{topic: a, reply: {status: ", "}}]"},
		{"Broadcast", "to", "rounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a, payload: {b: \"{{stamp}}\"}, broadcast: {to: ", "}}]"},
	} {
		values := root.Defs[test.def].Properties[test.key].Enum
		if len(values) < 2 {
			t.Errorf("%s.%s: values %v in the schema", test.def, test.key, values)
		}
		for _, value := range values {
			if _, _, err := load(test.before + value + test.after); err != nil {
				t.Errorf("%s.%s: %s is in the schema and refused: %v", test.def, test.key, value, err)
			}
		}
	}
}
