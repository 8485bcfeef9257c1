package main_test

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	rowNumber = regexp.MustCompile(`^ \d+ $`)
	reference = regexp.MustCompile("`([^`]+)`")
	goTest    = regexp.MustCompile(`^(\w+)\.((?:Test|Fuzz|Example|Benchmark)\w*)(?:/(.+))?$`)
	jsTest    = regexp.MustCompile(`^([\w.]+\.mjs) "(.+)"$`)
)

// FEATURES.md has every row of the table of features once, and every test that it
// names exists.
func TestFeatures(t *testing.T) {
	ours(t)
	text, err := os.ReadFile("FEATURES.md")
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(line, "|")
		if len(cells) != 7 || !rowNumber.MatchString(cells[1]) {
			continue
		}
		row := strings.TrimSpace(cells[1])
		rows = append(rows, row)
		tests := reference.FindAllStringSubmatch(cells[4], -1)
		if len(tests) == 0 {
			t.Errorf("row %s names no test", row)
		}
		for _, test := range tests {
			if err := exists(test[1]); err != nil {
				t.Errorf("row %s: %v", row, err)
			}
		}
	}
	if want := rowNumbers(); !slices.Equal(rows, want) {
		t.Errorf("the rows are %v, want %v", rows, want)
	}
	for name, d := range differences {
		if row := fmt.Sprintf("| %s | %s | %s |", name, d.of, d.why); !strings.Contains(string(text), row) {
			t.Errorf("the difference %q is not in FEATURES.md: %s", name, row)
		}
	}
}

// rowNumbers are those of spec §13 without shards.
func rowNumbers() (rows []string) {
	for _, r := range [...][2]int{{1, 124}, {126, 152}} {
		for n := r[0]; n <= r[1]; n++ {
			rows = append(rows, fmt.Sprint(n))
		}
	}
	return rows
}

// exists looks for a test by the name that FEATURES.md has for it.
func exists(name string) error {
	if js := jsTest.FindStringSubmatch(name); js != nil {
		source, err := os.ReadFile(filepath.Join("../../scripts/js", js[1]))
		if err == nil && !strings.Contains(string(source), js[2]) {
			err = fmt.Errorf("no %s", name)
		}
		return err
	}
	test := goTest.FindStringSubmatch(name)
	if test == nil {
		return fmt.Errorf("%s is no name of a test", name)
	}
	var sources strings.Builder
	for _, parent := range [...]string{"..", "../cmd", "../internal", "../..", "../../loadtest", "../../pubsub"} {
		files, _ := filepath.Glob(filepath.Join(parent, test[1], "*_test.go")) // the pattern is right
		for _, file := range files {
			source, err := os.ReadFile(file)
			if err != nil {
				return err
			}
			sources.Write(source)
		}
	}
	if !strings.Contains(sources.String(), "\nfunc "+test[2]+"(") || !strings.Contains(sources.String(), test[3]) {
		return fmt.Errorf("no %s", name)
	}
	return nil
}
