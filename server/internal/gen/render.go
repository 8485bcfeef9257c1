package gen

import (
	"bytes"
	"embed"
	"fmt"
	"go/format"
	"go/token"
	"path"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// A file is a generated one.
type file struct {
	name string // without folder
	text []byte
}

// render makes the files of a kind: all that is in its folder of templates.
func (p *plan) render() (files []file, err error) {
	if p.kind != "channel" && p.kind != "socket" && p.kind != "presence" {
		return nil, badArgument("%q is nothing to generate: there are channel, socket and presence", p.kind)
	}
	if p.pkg == "" {
		return nil, badArgument("the name of the folder is no name for a package: choose one with -package")
	}
	if !token.IsIdentifier(p.pkg) {
		return nil, badArgument("-package is %q: want a Go identifier", p.pkg)
	}
	folder := path.Join("templates", p.kind)
	entries, err := templates.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		text, err := p.execute(path.Join(folder, e.Name()))
		if err != nil {
			return nil, err
		}
		f := file{p.name.Snake() + "_" + strings.TrimSuffix(e.Name(), ".tmpl"), text}
		if path.Ext(f.name) == ".go" {
			if f.text, err = format.Source(text); err != nil {
				return nil, fmt.Errorf("%s: %w", f.name, err)
			}
		}
		files = append(files, f)
	}
	return files, nil
}

// execute fills in a template. Its delimiters are not Go's and not JavaScript's.
func (p *plan) execute(name string) ([]byte, error) {
	text, err := templates.ReadFile(name)
	if err != nil {
		return nil, err
	}
	t, err := template.New(name).Delims("<%", "%>").Parse(string(text))
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]string{
		"Package": p.pkg,
		"Name":    string(p.name),
		"Snake":   p.name.Snake(),
		"Words":   p.name.Words(),
	})
	return b.Bytes(), err
}
