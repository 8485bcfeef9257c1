package script

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A Source is a scenario file with all that it refers to: what a process of users
// is given.
type Source struct {
	Name    string            `json:"name"`
	Text    []byte            `json:"text"`
	Columns []string          `json:"columns,omitempty"` // of the table of users
	Rows    [][]string        `json:"rows,omitempty"`
	First   int               `json:"first,omitempty"` // user, from 0 on, that Rows begins with
	Env     map[string]string `json:"env,omitempty"`
	CA      []byte            `json:"ca,omitempty"`
	Cert    []byte            `json:"cert,omitempty"` // of the users
	Key     []byte            `json:"key,omitempty"`

	// Rate and For are instead of what the file says of both; 0 leaves it so. With a
	// Rate there are no stages, and as many users as in the fullest of them.
	Rate float64 `json:"rate,omitempty"`
	For  Time    `json:"for,omitempty"`
}

// Load reads a scenario file and what it refers to: file reads one, getenv is
// os.LookupEnv. An error names the file, the line and what to write instead.
func Load(name string, file func(name string) ([]byte, error), getenv func(string) (string, bool)) (src Source, s *Script, err error) {
	src = Source{Name: name, Env: make(map[string]string)}
	if src.Text, err = file(name); err != nil {
		return src, nil, err
	}
	fail := func(err error) (Source, *Script, error) { return src, nil, fmt.Errorf("%s: %w", name, err) }
	if s, err = parse(src.Text); err != nil {
		return fail(err)
	}
	beside := func(other string) string {
		if filepath.IsAbs(other) {
			return other
		}
		return filepath.Join(filepath.Dir(name), other)
	}
	if s.Users.File != "" {
		text, err := file(beside(s.Users.File))
		if err == nil {
			src.Columns, src.Rows, err = readTable(s.Users.File, text)
		}
		if err != nil {
			return fail(fmt.Errorf("users.file: %w", err))
		}
	}
	for _, f := range []struct {
		key, name string
		to        *[]byte
	}{{"ca", s.Target.TLS.CA, &src.CA}, {"cert", s.Target.TLS.Cert, &src.Cert}, {"key", s.Target.TLS.Key, &src.Key}} {
		if f.name == "" {
			continue
		}
		if *f.to, err = file(beside(f.name)); err != nil {
			return fail(fmt.Errorf("target.tls.%s: %w", f.key, err))
		}
	}
	var missing []error
	s.expressions(func(e *expr) {
		if e.name != "env" {
			return
		}
		value, ok := getenv(e.field)
		if !ok {
			missing = append(missing, fmt.Errorf("line %d: {{%s}}: no such variable in the environment", e.line, e.source))
		}
		src.Env[e.field] = value
	})
	if err := errors.Join(missing...); err != nil {
		return fail(err)
	}
	if s, err = src.Script(); err == nil {
		err = s.Fits(s.Count())
	}
	if err != nil {
		return fail(err)
	}
	return src, s, nil
}

// Script reads the source.
func (src *Source) Script() (*Script, error) {
	if src == nil {
		return nil, errors.New("no scenario file")
	}
	s, err := parse(src.Text)
	if err != nil {
		return nil, err
	}
	s.columns, s.rows, s.env, s.first = src.Columns, src.Rows, src.Env, src.First
	if err := s.repace(src.Rate, src.For); err != nil {
		return nil, err
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	return s, nil
}

// Part is the source for the users First to First+count-1, from 0 on: with their
// rows alone.
func (src Source) Part(first, count int) Source {
	if all := src.Rows; len(all) > 0 {
		src.Rows = make([][]string, min(count, len(all)))
		for i := range src.Rows {
			src.Rows[i] = all[(first+i)%len(all)]
		}
	}
	src.First = first
	return src
}

// column is the value of a column for user n, from 1 on.
func (s *Script) column(n int, name string) string {
	row := s.rows[(n-1-s.first)%len(s.rows)]
	return row[slices.Index(s.columns, name)]
}

// parse reads the YAML, and refuses what would be passed over.
func parse(text []byte) (*Script, error) {
	var root yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	switch err := decoder.Decode(&root); {
	case errors.Is(err, io.EOF):
		return nil, errors.New("it is empty")
	case err != nil:
		return nil, plain(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more behind ---: a scenario file is one document")
	}
	if err := unquoted(&root); err != nil {
		return nil, err
	}
	var whole any // to find keys that are there twice, and aliases within themselves
	if err := root.Decode(&whole); err != nil {
		return nil, plain(err)
	}
	s := new(Script)
	if err := errors.Join(mistakes(&root, reflect.TypeOf(s), "")...); err != nil {
		return nil, err
	}
	if err := root.Decode(s); err != nil {
		return nil, plain(err)
	}
	return s, nil
}

// plain is an error of YAML without the name of the library.
func plain(err error) error {
	var typed *yaml.TypeError
	if errors.As(err, &typed) {
		return errors.New(strings.Join(typed.Errors, "\n"))
	}
	text := strings.TrimPrefix(err.Error(), "yaml: ")
	if strings.Contains(text, "cannot start any token") {
		text += " (a tab? YAML is indented with spaces)"
	}
	return errors.New(text)
}

// UnmarshalYAML keeps the line.
func (s *Step) UnmarshalYAML(node *yaml.Node) error {
	type plain Step
	if err := node.Decode((*plain)(s)); err != nil {
		return err
	}
	s.line = node.Line
	return nil
}

// expressions calls do with all of the script.
func (s *Script) expressions(do func(*expr)) { visit(reflect.ValueOf(s), do) }

func visit(v reflect.Value, do func(*expr)) {
	switch {
	case v.Kind() == reflect.Pointer && !v.IsNil():
		visit(v.Elem(), do)
	case v.Type() == reflect.TypeFor[Text]():
		each(v.Interface().(Text).parts, do)
	case v.Type() == reflect.TypeFor[Payload]():
		each(v.Interface().(Payload).parts, do)
	case v.Kind() == reflect.Slice:
		for i := range v.Len() {
			visit(v.Index(i), do)
		}
	case v.Kind() == reflect.Map:
		for _, key := range v.MapKeys() {
			visit(v.MapIndex(key), do)
		}
	case v.Kind() == reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				visit(v.Field(i), do)
			}
		}
	}
}

func each(parts []part, do func(*expr)) {
	for _, p := range parts {
		if p.expr != nil {
			do(p.expr)
		}
	}
}
