package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// CI runs the race detector with -short. What a test leaves out there, it does in the
// run of scripts/test without both, which has a list. (A helper that asks for -short is
// not followed to the tests that call it.)
func TestWhatIsShortRunsWithoutRace(t *testing.T) {
	script, err := os.ReadFile("../scripts/test")
	if err != nil {
		t.Fatal(err)
	}
	list := regexp.MustCompile(`(?m)^WITHOUT_RACE='(.+)'$`).FindSubmatch(script)
	if list == nil {
		t.Fatal("scripts/test has no WITHOUT_RACE")
	}
	listed := regexp.MustCompile(string(list[1]))
	found := 0
	err = filepath.WalkDir("..", func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") || strings.Contains(path, "node_modules") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Test") && leavesOut(f) {
				found++
				if !listed.MatchString(f.Name.Name) {
					t.Errorf("%s: %s leaves something out in race builds, and is not in WITHOUT_RACE of scripts/test", path, f.Name.Name)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("no test asks for -short: is this still how they do?")
	}
}

// leavesOut reports whether a function calls testing.Short, or names the race detector
// in what it says.
func leavesOut(f *ast.FuncDecl) (does bool) {
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			does = does || ok && x.Name == "testing" && n.Sel.Name == "Short"
		case *ast.BasicLit:
			does = does || strings.Contains(n.Value, "the race detector allocates")
		}
		return true
	})
	return does
}
