package script

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Text is a template whose value is a text, such as room:{{user.room}}.
type Text struct {
	parts []part
	plain string // as it stands in the file
}

// A Payload is a template whose value is JSON. It is YAML with texts that are templates.
// Their values are escaped. A text that is only {{name | number}} or {{name | json}}
// becomes the number or the JSON itself.
type Payload struct{ parts []part }

// A part is a literal or an expression.
type part struct {
	literal string
	expr    *expr
}

// An expr is an expression between braces.
type expr struct {
	source string // for people
	line   int
	name   string    // user, n, random and so on
	field  string    // of user, env and saved
	bounds *[2]int64 // of random; nil for any number
	filter string    // number, json or ""
	quoted bool      // it is within a text of JSON
}

// expression is {{name}}, {{name.field}}, {{random 1 6}} or {{name | filter}}.
var expression = regexp.MustCompile(`^([a-z]+)(?:\.([^\s|{}]+))?(?:\s+(-?\d+)\s+(-?\d+))?(?:\s*\|\s*(number|json))?$`)

// names are all expressions; true of those that need a field.
var names = map[string]bool{
	"user": true, "env": true, "saved": true,
	"n": false, "round": false, "random": false, "uuid": false, "now": false, "stamp": false,
}

const known = "there are user.COLUMN, n, round, random, random LEAST MOST, uuid, now, stamp, saved.NAME and env.NAME, and behind them | number and | json"

func parseExpr(source string, line int) (*expr, error) {
	match := expression.FindStringSubmatch(strings.TrimSpace(source))
	e := &expr{source: source, line: line}
	bad := fmt.Errorf("line %d: {{%s}} is not known: %s", line, source, known)
	if match == nil {
		return nil, bad
	}
	e.name, e.field, e.filter = match[1], match[2], match[5]
	withField, ok := names[e.name]
	if !ok || withField != (e.field != "") || match[3] != "" && e.name != "random" {
		return nil, bad
	}
	if match[3] != "" {
		least, err1 := strconv.ParseInt(match[3], 10, 64)
		most, err2 := strconv.ParseInt(match[4], 10, 64)
		if err := errors.Join(err1, err2); err != nil || most < least || uint64(most-least) >= 1<<62 {
			return nil, fmt.Errorf("line %d: {{%s}}: want a least and a most number", line, source)
		}
		e.bounds = &[2]int64{least, most}
	}
	return e, nil
}

// parseText splits a text at its expressions.
func parseText(text string, line int) (parts []part, err error) {
	for {
		before, rest, found := strings.Cut(text, "{{")
		if before != "" {
			parts = append(parts, part{literal: before})
		}
		if !found {
			return parts, nil
		}
		source, after, closed := strings.Cut(rest, "}}")
		if !closed {
			return nil, fmt.Errorf("line %d: {{%s: no }} follows", line, rest)
		}
		e, err := parseExpr(source, line)
		if err != nil {
			return nil, err
		}
		parts = append(parts, part{expr: e})
		text = after
	}
}

// UnmarshalYAML reads it.
func (t *Text) UnmarshalYAML(node *yaml.Node) (err error) {
	if node.Kind != yaml.ScalarNode {
		return fmt.Errorf("line %d: want a text here", node.Line)
	}
	t.plain = node.Value
	if t.parts, err = parseText(node.Value, node.Line); err != nil {
		return err
	}
	for _, p := range t.parts {
		if p.expr != nil && p.expr.filter != "" {
			return fmt.Errorf("line %d: {{%s}}: a filter is for payloads", node.Line, p.expr.source)
		}
	}
	return nil
}

// String is the text as it stands in the file.
func (t Text) String() string { return t.plain }

// Empty reports whether there is none.
func (t Text) Empty() bool { return t.plain == "" }

// Empty reports whether there is none.
func (p Payload) Empty() bool { return len(p.parts) == 0 }

// UnmarshalYAML reads it.
func (p *Payload) UnmarshalYAML(node *yaml.Node) error {
	var b builder
	if err := b.value(node); err != nil {
		return err
	}
	b.flush()
	p.parts = b.parts
	return nil
}

// A builder makes the parts of a payload.
type builder struct {
	parts   []part
	literal bytes.Buffer
}

func (b *builder) flush() {
	if b.literal.Len() > 0 {
		b.parts = append(b.parts, part{literal: b.literal.String()})
		b.literal.Reset()
	}
}

func (b *builder) value(node *yaml.Node) error {
	switch node.Kind {
	case yaml.AliasNode:
		return b.value(node.Alias)
	case yaml.MappingNode:
		return b.list(fields(node), "{", "}", 2)
	case yaml.SequenceNode:
		return b.list(node.Content, "[", "]", 1)
	}
	switch tag := node.ShortTag(); {
	case tag == "!!str":
		return b.text(node)
	case tag == "!!int" && len(node.Value) > 1 && node.Value[0] == '0' && node.Value[1] >= '0' && node.Value[1] <= '9':
		return fmt.Errorf("line %d: %s: is that a text? Then put it in quotes, else leave out the zero", node.Line, node.Value)
	case (tag == "!!int" || tag == "!!float") && json.Valid([]byte(node.Value)):
		b.literal.WriteString(node.Value) // with all its digits
		return nil
	}
	var v any
	if err := node.Decode(&v); err != nil {
		return err
	}
	if _, isTime := v.(interface{ UnixNano() int64 }); isTime { // which JSON has not
		v = node.Value
	}
	text, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("line %d: %q cannot be JSON: %w", node.Line, node.Value, err)
	}
	b.literal.Write(text)
	return nil
}

// fields are the keys and values of an object, those that it takes over by << after
// its own.
func fields(node *yaml.Node) (content []*yaml.Node) {
	var more []*yaml.Node
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if node.Kind == yaml.SequenceNode { // of objects to take over: the first that has a key counts
		for _, child := range node.Content {
			more = append(more, fields(child)...)
		}
	}
	for i := 0; node.Kind == yaml.MappingNode && i+1 < len(node.Content); i += 2 {
		key, value := node.Content[i], node.Content[i+1]
		if key.ShortTag() == "!!merge" {
			more = append(more, fields(value)...)
		} else {
			content = append(content, key, value)
		}
	}
	for i := 0; i+1 < len(more); i += 2 {
		if !hasKey(content, more[i].Value) {
			content = append(content, more[i], more[i+1])
		}
	}
	return content
}

func hasKey(content []*yaml.Node, name string) bool {
	for i := 0; i+1 < len(content); i += 2 {
		if content[i].Value == name {
			return true
		}
	}
	return false
}

// list writes what is in an object, whose keys and values alternate, or an array.
func (b *builder) list(content []*yaml.Node, open, end string, each int) error {
	b.literal.WriteString(open)
	for i, child := range content {
		write := b.value
		switch {
		case i%each == 1:
			b.literal.WriteByte(':')
		case i > 0:
			b.literal.WriteByte(',')
		}
		if i%each == 0 && each == 2 {
			write = b.key
		}
		if err := write(child); err != nil {
			return err
		}
	}
	b.literal.WriteString(end)
	return nil
}

// key writes a key, which is a text whatever it looks like.
func (b *builder) key(node *yaml.Node) error {
	for node.Kind == yaml.AliasNode {
		node = node.Alias
	}
	if source := strings.TrimSpace(node.Value); strings.HasPrefix(source, "{{") && strings.Contains(source, "|") {
		return fmt.Errorf("line %d: %s: a filter is for values, not for keys", node.Line, source)
	}
	return b.text(node)
}

func (b *builder) text(node *yaml.Node) error {
	parts, err := parseText(node.Value, node.Line)
	if err != nil {
		return err
	}
	if len(parts) == 1 && parts[0].expr != nil && parts[0].expr.filter != "" {
		b.flush()
		b.parts = append(b.parts, parts[0])
		return nil
	}
	b.literal.WriteByte('"')
	for _, p := range parts {
		switch {
		case p.expr == nil:
			text := quoted(p.literal)
			b.literal.Write(text[1 : len(text)-1])
		case p.expr.filter != "":
			return fmt.Errorf("line %d: {{%s}}: with a filter it must be the whole text", node.Line, p.expr.source)
		default:
			b.flush()
			p.expr.quoted = true
			b.parts = append(b.parts, p)
		}
	}
	b.literal.WriteByte('"')
	return nil
}

// quoted is a text as JSON, < and > as they are.
func quoted(s string) []byte {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a text always has JSON
	return bytes.TrimSpace(b.Bytes())
}

// stamped reports whether the stamp of a message is in it.
func stamped(parts []part) bool {
	for _, p := range parts {
		if p.expr != nil && p.expr.name == "stamp" {
			return true
		}
	}
	return false
}
