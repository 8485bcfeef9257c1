package main_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var (
	// How SPEC.md is referred to: "spec §1.2 to §1.5", "spec A15, A16", "transcript
	// A21", "rows 22, 100 and 147 to 152".
	specPlaces = regexp.MustCompile(`\b(?:spec|transcripts?) (?:§\d+(?:\.\d+)?|A\d+)(?:(?:, | and | to )(?:§\d+(?:\.\d+)?|A\d+))*`)
	specRows   = regexp.MustCompile(`\b[Rr]ows? \d+(?:(?:, | and | to |–)\d+)*`)
	specPlace  = regexp.MustCompile(`§\d+(?:\.\d+)?|A\d+|\d+`)

	// What there is to refer to.
	specHeading    = regexp.MustCompile(`(?m)^##+ (\d+(?:\.\d+)?)`)
	specTranscript = regexp.MustCompile(`(?m)^(A\d+) `)
	specRow        = regexp.MustCompile(`(?m)^\| (\d+) \|`)

	// Within SPEC.md, "spec" is left out.
	specOwn = regexp.MustCompile(`(?:RFC \d+ )?§\d+(?:\.\d+)?|\bA\d+\b`)

	// lineBreak is one within a sentence, of a comment or of prose.
	lineBreak = regexp.MustCompile(`\n\s*(?://|#|\*|--)?\s*`)
)

// TestSpecReferences finds references to places that SPEC.md does not have, and
// rows of its table of features that FEATURES.md has and it has not.
func TestSpecReferences(t *testing.T) {
	if testing.Short() {
		t.Skip("slow in race builds, and nothing runs beside it")
	}
	ours(t)
	text, err := os.ReadFile("SPEC.md")
	if err != nil {
		t.Fatal(err)
	}
	places := specTargets(t, string(text))
	for _, ref := range specOwn.FindAllString(string(text), -1) {
		if !strings.HasPrefix(ref, "RFC") && !places[ref] {
			t.Errorf("SPEC.md refers to %s, which it does not have", ref)
		}
	}
	found := 0
	eachText(t, "../..", func(path, text string) {
		for _, ref := range specReferences(text) {
			found++
			if !places[ref] {
				t.Errorf("%s: SPEC.md has no %s", path, ref)
			}
		}
	})
	for _, n := range rowNumbers() {
		if !places[n] {
			t.Errorf("FEATURES.md: the table of SPEC.md has no row %s", n)
		}
	}
	if found < 100 {
		t.Errorf("found %d references: are they written in another way now?", found)
	}
}

// specTargets are the places of SPEC.md that may be referred to: §1.2, A3, and 4
// for a row of its table of features.
func specTargets(t *testing.T, text string) map[string]bool {
	t.Helper()
	places := make(map[string]bool)
	add := func(place string) {
		if places[place] {
			t.Errorf("SPEC.md has %s twice", place)
		}
		places[place] = true
	}
	for _, m := range specHeading.FindAllStringSubmatch(text, -1) {
		add("§" + m[1])
	}
	for _, m := range specTranscript.FindAllStringSubmatch(text, -1) {
		add(m[1])
	}
	_, table, _ := strings.Cut(text, "\n## 13. ")
	table, _, _ = strings.Cut(table, "\n## ")
	rows := specRow.FindAllStringSubmatch(table, -1)
	for _, m := range rows {
		add(m[1])
	}
	for n := range rows {
		if row := fmt.Sprint(n + 1); !places[row] {
			t.Errorf("SPEC.md's table of features has no row %s", row)
		}
	}
	return places
}

// specReferences are the places that a text refers to.
func specReferences(text string) (refs []string) {
	text = lineBreak.ReplaceAllString(text, " ")
	for _, s := range specPlaces.FindAllString(text, -1) {
		refs = append(refs, specPlace.FindAllString(s, -1)...)
	}
	for _, s := range specRows.FindAllString(text, -1) {
		refs = append(refs, specPlace.FindAllString(s, -1)...)
	}
	return refs
}

// eachText calls do for every text of the tree: code, scripts and prose, but no
// results and no test data.
func eachText(t *testing.T, root string, do func(path, text string)) {
	t.Helper()
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			switch d.Name() {
			case ".git", "results", "testdata", "node_modules", "deps", "_build":
				return filepath.SkipDir
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > 1<<20 {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil || bytes.IndexByte(text, 0) >= 0 { // a program
			return err
		}
		do(path, string(text))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// References are found in all forms that are in use.
func TestSpecReferencesAreFound(t *testing.T) {
	for text, want := range map[string]string{
		"// The table (spec §1.10). m is lent.":             "§1.10",
		"// by the table of spec\n\t// §3.2, and more.":     "§3.2",
		"<!-- Refusals (spec §1.2 to §1.5, RFC 9112 §6) ":   "§1.2 §1.5",
		"// (spec §4.3, transcript A21); spec A15 and A16":  "§4.3 A21 A15 A16",
		"// (rows 22, 100 and\n// 147 to 152 of spec §13)":  "§13 22 100 147 152",
		"Left out are two (rows 119–121); as row 41":        "119 121 41",
		"RFC 6455 §5.4, §9.9 of another; A15; a row of ten": "",
	} {
		if got := strings.Join(specReferences(text), " "); got != want {
			t.Errorf("%s: got %s, want %s", strconv.Quote(text), got, want)
		}
	}
}
