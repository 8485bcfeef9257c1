// Api lists the module's public API: what is exported by the packages that programs
// import, without documentation. The list is api.txt, which a test holds to the code:
//
//	go run ./scripts/api >scripts/api/api.txt    after a change of the API
//	scripts/api/diff v0.1.0                      what is incompatible since then
//
// The load generator, commands and internal packages are no API.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	if err := list(os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

const module = "github.com/roost-rt/roost/"

// A pkg is a package as go list describes it.
type pkg struct {
	Dir, ImportPath, Name string
	GoFiles               []string
}

// public reports whether a package is there for others.
func (p pkg) public() bool {
	path := strings.TrimPrefix(p.ImportPath, module)
	folder, _, _ := strings.Cut(path, "/")
	return p.Name != "main" && !strings.Contains(path, "internal/") && slices.Contains([]string{"poller", "pubsub", "server"}, folder)
}

// list writes the API of all packages, in their order.
func list(w io.Writer) error {
	out, err := exec.Command("go", "list", "-json=Dir,ImportPath,Name,GoFiles", module+"...").Output()
	if err != nil {
		return fmt.Errorf("go list: %w", err)
	}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		switch err := decoder.Decode(&p); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if !p.public() {
			continue
		}
		lines, err := p.exported()
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "package %s // %q\n\n%s\n", p.Name, p.ImportPath, strings.Join(lines, "\n"))
	}
}

// exported are the declarations of a package that others see, sorted.
func (p pkg) exported() (decls []string, err error) {
	files := token.NewFileSet()
	for _, name := range p.GoFiles {
		file, err := parser.ParseFile(files, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution) // without comments
		if err != nil {
			return nil, err
		}
		ast.FileExports(file)
		for _, decl := range file.Decls {
			texts, err := textsOf(decl)
			if err != nil {
				return nil, err
			}
			decls = append(decls, texts...)
		}
	}
	slices.Sort(decls)
	return decls, nil
}

// textsOf is a declaration as a reader knows it, or several.
func textsOf(decl ast.Decl) (texts []string, err error) {
	var nodes []any
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv != nil && !ast.IsExported(receiver(d.Recv.List[0].Type)) {
			return nil, nil
		}
		d.Body = nil
		nodes = append(nodes, d)
	case *ast.GenDecl:
		if d.Tok == token.CONST && slices.ContainsFunc(d.Specs, impliedValue) {
			d.Lparen = 1 // its values depend on the order
			nodes = append(nodes, d)
			break
		}
		for _, spec := range d.Specs {
			nodes = append(nodes, &ast.GenDecl{Tok: d.Tok, Specs: []ast.Spec{spec}})
		}
	}
	for _, node := range nodes {
		if g, ok := node.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
			continue
		}
		var b strings.Builder
		if err := (&printer.Config{Mode: printer.TabIndent, Tabwidth: 8}).Fprint(&b, token.NewFileSet(), node); err != nil {
			return nil, err
		}
		texts = append(texts, b.String())
	}
	return texts, nil
}

// receiver is the name of the type of a method.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// impliedValue reports whether a constant repeats the expression before it.
func impliedValue(spec ast.Spec) bool {
	v, ok := spec.(*ast.ValueSpec)
	return ok && len(v.Values) == 0
}
