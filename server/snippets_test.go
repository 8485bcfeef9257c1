package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// snippet finds Go code of a page, with the mark of where it stands in a Go file.
var snippet = regexp.MustCompile("(?m)^(?:<!-- (\\S+): (\\S+) -->\n)?```go\n((?s:.*?))^```$")

// program begins README's "Write a channel", which TestReadmeExampleUnderLoad in
// loadtest/ builds and runs.
const program = "package main\n"

// TestSnippets holds Go code in pages to code that is compiled and run: a block after
// "<!-- FILE: NAME -->" is what stands in that file between "// doc:NAME" and
// "// doc:end". ROOST_WRITE_SNIPPETS=1 writes it there.
func TestSnippets(t *testing.T) {
	found := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(notOurs, entry.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) == ".md":
			found += checkSnippets(t, path)
		}
		return nil
	})
	if err != nil || found == 0 {
		t.Errorf("WalkDir = %v with %d snippets, want some", err, found)
	}
}

// checkSnippets compares the snippets of a page, and returns how many have a mark.
func checkSnippets(t *testing.T, page string) (marked int) {
	text, err := os.ReadFile(page)
	if err != nil {
		t.Error(err)
		return 0
	}
	want := snippet.ReplaceAllFunc(text, func(block []byte) []byte {
		m := snippet.FindSubmatch(block)
		switch {
		case string(m[1]) == "file": // of a program that TestGettingStarted builds and runs
			return block
		case len(m[1]) == 0:
			if page != filepath.Join("..", "README.md") || !bytes.HasPrefix(m[3], []byte(program)) {
				t.Errorf("%s has Go code that nobody compiles; put a <!-- FILE: NAME --> before it:\n%s", page, m[3])
			}
			return block
		}
		marked++
		code, err := region(filepath.Join(filepath.Dir(page), string(m[1])), string(m[2]))
		if err != nil {
			t.Errorf("%s: %v", page, err)
			return block
		}
		return slices.Concat([]byte("<!-- "), m[1], []byte(": "), m[2], []byte(" -->\n```go\n"), code, []byte("```"))
	})
	switch {
	case bytes.Equal(text, want):
	case os.Getenv("ROOST_WRITE_SNIPPETS") != "":
		if err := os.WriteFile(page, want, 0o644); err != nil {
			t.Error(err)
		}
	default:
		t.Errorf("%s has other Go code than its examples: ROOST_WRITE_SNIPPETS=1 go test ./server -run Snippets mends that", page)
	}
	return marked
}

type noRegion string

func (e noRegion) Error() string { return "no lines between // doc:" + string(e) + " and // doc:end" }

// region is the code between two comments, as far to the left as it goes.
func region(file, name string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	found := regexp.MustCompile(`(?ms)^(\s*)// doc:` + regexp.QuoteMeta(name) + `\n(.*?)^\s*// doc:end$`).FindSubmatch(text)
	if found == nil {
		return nil, noRegion(name)
	}
	indent := strings.TrimLeft(string(found[1]), "\n")
	var code bytes.Buffer
	for line := range strings.Lines(string(found[2])) {
		code.WriteString(strings.TrimPrefix(line, indent))
	}
	return code.Bytes(), nil
}
