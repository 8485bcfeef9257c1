package main

import (
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// notOurs are folders with pages of others.
var notOurs = []string{".git", "node_modules", "deps", "_build"}

// link finds the targets of links and pictures, in Markdown and in HTML.
var link = regexp.MustCompile(`\]\(<?([^)\s>]+)>?[^)]*\)|(?:src|srcset|href)="([^"\s]+)"`)

// code is where brackets mean something else.
var code = regexp.MustCompile("(?m)^```(?s:.*?)^```$|`[^`\n]+`")

// TestLinksLeadToFiles follows each relative link of each page of the repository.
// A module's zip lacks the modules within, which pages link to.
func TestLinksLeadToFiles(t *testing.T) {
	if _, err := os.Stat(filepath.Join("..", "results", "go.mod")); err != nil {
		t.Skip("no clone of the repository: ", err)
	}
	links := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(notOurs, entry.Name()):
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, found := range link.FindAllStringSubmatch(code.ReplaceAllString(string(text), ""), -1) {
			target := found[1] + found[2]
			if !relative(target) {
				continue
			}
			links++
			if err := follow(filepath.Dir(path), target); err != nil {
				t.Errorf("%s links to %s: %v", path, target, err)
			}
		}
		return nil
	})
	if err != nil || links == 0 {
		t.Errorf("WalkDir = %v with %d links, want some", err, links)
	}
}

// relative tells a file of the repository from a part of the page and an address.
func relative(target string) bool {
	u, err := url.Parse(target)
	return err != nil || u.Scheme == "" && u.Host == "" && u.Path != ""
}

// follow fails unless a link leads to a file.
func follow(folder, target string) error {
	file, _, _ := strings.Cut(target, "#")
	file, err := url.PathUnescape(file)
	if err != nil {
		return err
	}
	_, err = os.Stat(filepath.Join(folder, file))
	return err
}
