package main_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each threat in SECURITY.md names tests or attacks, and they exist.
func TestSecurity(t *testing.T) {
	ours(t)
	text, err := os.ReadFile("../../SECURITY.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(text), "<!-- checked by")
	if !found {
		t.Fatal("SECURITY.md has no table to check")
	}
	attacks := attackSources(t)
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		if len(cells) != 5 || strings.HasPrefix(cells[1], " **") || cells[1] == " threat " || cells[1] == "---" {
			continue
		}
		names := reference.FindAllStringSubmatch(cells[3], -1)
		if len(names) == 0 {
			t.Errorf("%q names no test", cells[1])
		}
		for _, name := range names {
			if strings.Contains(attacks, `{name: "`+name[1]+`",`) {
				continue
			}
			if err := exists(name[1]); err != nil {
				t.Errorf("%q: %v, nor such an attack", cells[1], err)
			}
		}
	}
}

// attackSources are where the attacks have their names.
func attackSources(t *testing.T) string {
	t.Helper()
	files, err := filepath.Glob("../../scripts/attack/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("Glob = %q, %v, want the attacks", files, err)
	}
	var sources strings.Builder
	for _, file := range files {
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		sources.Write(source)
	}
	return sources.String()
}
