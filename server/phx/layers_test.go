package phx_test

import (
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Sockets and channels know neither who lends them their services, nor how their
// connections came, nor who polls: no way leads there from file to file, each
// naming something of the next. (The other way there are many.)
func TestLayers(t *testing.T) {
	names := namesOf(t)
	above := []string{"endpoint.go", "requests.go", "longpoll.go", "admin.go"}
	for _, file := range above {
		if names[file] == nil {
			t.Fatalf("%s is gone, or names nothing: what stands for its part now?", file)
		}
	}
	came := map[string]string{"socket.go": ""} // from which file
	for next := []string{"socket.go"}; len(next) > 0; next = next[1:] {
		for _, file := range names[next[0]] {
			if _, seen := came[file]; seen {
				continue
			}
			came[file] = next[0]
			next = append(next, file)
			if slices.Contains(above, file) {
				way := file
				for file = came[file]; file != ""; file = came[file] {
					way = file + " → " + way
				}
				t.Errorf("%s: which of these names does not belong?", way)
			}
		}
	}
}

// namesOf are, for each file of the package, the others that it names something of.
func namesOf(t *testing.T) map[string][]string {
	t.Helper()
	fset := token.NewFileSet()
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object)}
	cfg := types.Config{Importer: noImports{}, Error: func(error) {}} // of imports nothing is known, and that is enough
	pkg, _ := cfg.Check("phx", fset, sources(t, fset), info)
	names := make(map[string][]string)
	for id, object := range info.Uses {
		from, to := filepath.Base(fset.Position(id.Pos()).Filename), filepath.Base(fset.Position(object.Pos()).Filename)
		if object.Pkg() == pkg && from != to && strings.HasSuffix(to, ".go") && !slices.Contains(names[from], to) {
			names[from] = append(names[from], to)
		}
	}
	for _, files := range names {
		slices.Sort(files)
	}
	return names
}

type noImports struct{}

func (noImports) Import(string) (*types.Package, error) { return nil, errors.ErrUnsupported }

// sources are the files of the package without its tests.
func sources(t *testing.T, fset *token.FileSet) (files []*ast.File) {
	t.Helper()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}
