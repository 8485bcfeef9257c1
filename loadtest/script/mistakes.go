package script

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

var unmarshaler = reflect.TypeFor[yaml.Unmarshaler]()

// wants are the kinds of values, for people.
var wants = map[reflect.Kind]string{
	reflect.String: "a text", reflect.Int: "a whole number", reflect.Float64: "a number", reflect.Bool: "true or false",
	reflect.Slice: "a list", reflect.Map: "names and their values", reflect.Struct: "keys and their values",
}

// mistakes finds keys that a type has not, keys with nothing behind them and values
// that are of another kind, with their lines. An alias must not be within itself.
func mistakes(node *yaml.Node, t reflect.Type, path string) (errs []error) {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	fail := func(format string, args ...any) []error {
		return []error{fmt.Errorf("line %d: %s%s", node.Line, strings.TrimPrefix(path+": ", ": "), fmt.Sprintf(format, args...))}
	}
	switch {
	case node.Kind == yaml.DocumentNode:
		return mistakes(node.Content[0], t, path)
	case node.ShortTag() == "!!null" && t.Kind() == reflect.Struct && !reflect.PointerTo(t).Implements(unmarshaler):
		return fail("there is nothing behind it: leave it out, or say {} for its defaults")
	case node.ShortTag() == "!!null":
		return fail("there is nothing behind it: leave it out, or say what it is")
	case reflect.PointerTo(t).Implements(unmarshaler) && t != reflect.TypeFor[Step]():
		return nil // it finds its own
	case t.Kind() == reflect.Struct && node.Kind == yaml.MappingNode:
		return mistakenKeys(node, t, path)
	case t.Kind() == reflect.Slice && node.Kind == yaml.SequenceNode:
		for i, child := range node.Content {
			errs = append(errs, mistakes(child, t.Elem(), fmt.Sprintf("%s[%d]", path, i))...)
		}
		return errs
	case t.Kind() == reflect.Map && node.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(node.Content); i += 2 {
			errs = append(errs, mistakes(node.Content[i+1], t.Elem(), path+"."+node.Content[i].Value)...)
		}
		return errs
	case node.Kind != yaml.ScalarNode:
		return fail("want %s", wants[t.Kind()])
	case node.Decode(reflect.New(t).Interface()) != nil, t.Kind() == reflect.Int && node.ShortTag() != "!!int":
		return fail("%q: want %s", node.Value, wants[t.Kind()])
	case t.Kind() == reflect.String && strings.Contains(node.Value, "{{") && !slices.Contains(titles, path[strings.LastIndex(path, ".")+1:]):
		return fail("{{…}} stands for nothing here: this is the same for all users") // without the text: a token may be in it
	}
	return nil
}

// titles are keys of names: a topic is called as it is written if it has no other.
var titles = []string{"name", "as", "topic", "join", "leave"}

// mistakenKeys are the mistakes in the keys of a struct and in their values.
func mistakenKeys(node *yaml.Node, t reflect.Type, path string) (errs []error) {
	fields := fieldsOf(t)
	for i := 0; i+1 < len(node.Content); i += 2 {
		key := node.Content[i]
		at := strings.TrimPrefix(path+"."+key.Value, ".")
		if field, ok := fields[key.Value]; ok {
			errs = append(errs, mistakes(node.Content[i+1], field, at)...)
		} else if key.Value != "<<" {
			errs = append(errs, fmt.Errorf("line %d: no key %s%s", key.Line, at, suggestion(key.Value, fields)))
		}
	}
	return errs
}

// unquoted finds {{…}} without quotes, which YAML takes for a map as the key of one.
func unquoted(node *yaml.Node) error {
	for i, child := range node.Content {
		if node.Kind == yaml.MappingNode && i%2 == 0 && child.Kind == yaml.MappingNode {
			return fmt.Errorf(`line %d: {{…}} needs quotes, as in "{{n}}"`, child.Line)
		}
		if err := unquoted(child); err != nil {
			return err
		}
	}
	return nil
}

// fieldsOf are the keys of a struct.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields := make(map[string]reflect.Type)
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "" && key != "-" {
			fields[key] = t.Field(i).Type
		}
	}
	return fields
}

// suggestion returns the key that may have been meant.
func suggestion(key string, fields map[string]reflect.Type) string {
	best, least := "", 3 // more changes are another word
	var all []string
	for name := range fields {
		all = append(all, name)
	}
	slices.Sort(all)
	for _, name := range all {
		if d := distance(strings.ToLower(key), strings.ToLower(name)); d < least {
			best, least = name, d
		}
	}
	if best != "" {
		return fmt.Sprintf(": did you mean %s?", best)
	}
	return ": there are " + strings.Join(all, ", ")
}

// distance is how many letters to add, take, change, or swap with their neighbour.
func distance(a, b string) int {
	var before, row []int
	for i := range len(a) + 1 {
		next := make([]int, len(b)+1)
		for j := range next {
			switch {
			case i == 0 || j == 0:
				next[j] = i + j
				continue
			case a[i-1] == b[j-1]:
				next[j] = row[j-1]
			default:
				next[j] = 1 + min(row[j-1], row[j], next[j-1])
			}
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				next[j] = min(next[j], before[j-2]+1)
			}
		}
		before, row = row, next
	}
	return row[len(b)]
}
