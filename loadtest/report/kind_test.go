package report

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/record"
)

// A scenario is named in its own file and in the list of kinds, and nowhere else:
// what is said of it elsewhere would be forgotten by the next one.
func TestScenariosAreNamedOnce(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, k := range kinds() {
		literal := regexp.MustCompile(`"` + k.name + `"`)
		var in []string
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(string(text)) {
				code, _, _ := strings.Cut(line, "//")
				if literal.MatchString(code) && !strings.Contains(code, "string{") && !strings.Contains(code, "{\""+k.name+"\", true") {
					in = append(in, name)
				}
			}
		}
		slices.Sort(in)
		if in = slices.Compact(in); len(in) != 1 {
			t.Errorf("%s is named in %q, want in one file", k.name, in)
		}
	}
}

// The names of kinds and of their parts differ, and each setting that one of them
// has is shown for it.
func TestKinds(t *testing.T) {
	t.Parallel()
	seen := make(map[string]bool)
	for _, k := range kinds() {
		if seen[k.name] {
			t.Errorf("two kinds are called %s", k.name)
		}
		seen[k.name] = true
		if kindOf(k.name).name != k.name {
			t.Errorf("kindOf(%s) is %s", k.name, kindOf(k.name).name)
		}
		for _, setting := range k.settings {
			if !matters(setting, k.name) {
				t.Errorf("%s does not matter in %s", setting, k.name)
			}
		}
		if !matters("clients", k.name) {
			t.Errorf("clients do not matter in %s", k.name)
		}
		if k.silent && (k.lacks == nil || k.headline == nil || k.cards == nil) {
			t.Errorf("%s does not broadcast, and has neither a verdict nor a headline nor cards of its own", k.name)
		}
	}
	if k := kindOf("unknown"); k.name != "chat" || matters("zipf", "unknown") || !matters("rate", "unknown") {
		t.Errorf("an unknown scenario is %s, want to be shown as a chat", k.name)
	}
}

// No kind needs figures to be asked for them: records may hold anything.
func TestKindsOfNothing(t *testing.T) {
	t.Parallel()
	for _, k := range kinds() {
		for _, records := range [][]record.Record{
			nil,
			{{Run: &record.Run{Schema: record.Schema, Config: map[string]any{"scenario": k.name}}}},
			{{Run: &record.Run{Schema: record.Schema, Config: map[string]any{"scenario": k.name}}}, {End: &record.End{Clients: 1, Joined: 1}}},
			{{Activity: &record.Activity{Name: k.name}}, {End: &record.End{}}},
		} {
			r, err := New(records)
			if err != nil {
				t.Fatal(err)
			}
			var out strings.Builder
			if r.WriteText(&out) != nil || r.WriteHTML(&out) != nil || r.WriteJSON(&out) != nil || r.WriteJUnit(&out) != nil {
				t.Fatalf("%s: cannot write", k.name)
			}
			if ok, _ := Verdict(r.Summary); ok && k.lacks != nil && k.name == r.Summary.Scenario && len(r.activities) == 0 {
				t.Errorf("%s came to nothing, and its verdict is OK", k.name)
			}
		}
	}
}
