package gen

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A folder tells which files exist already.
type folder struct {
	pkg      string                     // of its Go files, or ""
	files    map[string]bool            // all of them
	declared map[string]map[string]bool // names at the top level, by Go file
}

// inspect looks at a folder, which need not exist.
func inspect(dir string) (*folder, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f := &folder{files: make(map[string]bool), declared: make(map[string]map[string]bool)}
	for _, e := range entries {
		f.files[e.Name()] = true
		if e.IsDir() || filepath.Ext(e.Name()) != ".go" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, err
		}
		pkg, names, err := declarations(e.Name(), text)
		if err != nil {
			return nil, fmt.Errorf("read what is in %s: %w", dir, err)
		}
		if strings.HasSuffix(pkg, "_test") {
			continue // an external test: names of its own
		}
		f.pkg, f.declared[e.Name()] = pkg, names
	}
	return f, nil
}

// declarations are the package of a Go file and the names at its top level, but
// for methods.
func declarations(file string, text []byte) (pkg string, names map[string]bool, err error) {
	parsed, err := parser.ParseFile(token.NewFileSet(), file, text, parser.SkipObjectResolution)
	if err != nil {
		return "", nil, err
	}
	names = make(map[string]bool)
	for _, d := range parsed.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil {
				names[d.Name.Name] = true
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names[spec.Name.Name] = true
				case *ast.ValueSpec:
					for _, n := range spec.Names {
						names[n.Name] = true
					}
				}
			}
		}
	}
	return parsed.Name.Name, names, nil
}

// accept says what speaks against new files in the folder.
func (f *folder) accept(p *plan, files []file) error {
	if f.pkg != "" && f.pkg != p.pkg {
		return fmt.Errorf("the Go files in %s are package %s, not %s: leave -package out, or choose another -dir", p.dir, f.pkg, p.pkg)
	}
	for _, new := range files {
		if f.files[new.name] && !p.force {
			return fmt.Errorf("%s exists: choose another name, or overwrite it with -force", filepath.Join(p.dir, new.name))
		}
		delete(f.declared, new.name)
	}
	for _, new := range files {
		if filepath.Ext(new.name) != ".go" {
			continue
		}
		_, names, err := declarations(new.name, new.text)
		if err != nil {
			return err
		}
		for other, theirs := range f.declared {
			for name := range names {
				if theirs[name] {
					return fmt.Errorf("%s declares %s already: choose another name", filepath.Join(p.dir, other), name)
				}
			}
		}
	}
	return nil
}
