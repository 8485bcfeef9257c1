package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Each file is checked, whatever is wrong with another one, and says what a run of it
// would do.
func TestCheckOfFiles(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	good := write("good.yaml", "target: {url: ws://h}\nrounds: 1\ntopics: [{topic: room:lobby}]\nsteps: [{push: a}]\n")
	unknown := write("unknown.yaml", "target: {url: ws://h}\ntopisc: [{topic: a}]\n")
	limit := write("limit.yaml", "target: {url: ws://h}\nrounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a}]\nslo: b.p99<1s\n")
	for _, tt := range []struct {
		name      string
		args      []string
		code      int
		out, errs []string // parts, in order
	}{
		{"a good one", []string{good}, exitOK, []string{good + ": OK: "}, nil},
		{"two good ones", []string{good, "../examples/chat.yaml"}, exitOK, []string{good + ": OK: ", "../examples/chat.yaml: OK: "}, nil},
		{"bad ones around it", []string{unknown, good, limit}, exitUsage, []string{good + ": OK: "}, []string{unknown + ": line 2", "topisc", limit + `: slo: threshold "b.p99<1s": no step has this name: there are join a, push a`}},
		{"no file", []string{"none.yaml"}, exitUsage, nil, []string{"loadtest: ", "none.yaml: no such file"}},
		{"nothing", nil, exitUsage, nil, []string{"usage: loadtest check FILE.yaml"}},
		{"help", []string{"-help"}, exitOK, nil, []string{"usage: loadtest check FILE.yaml"}},
		{"unknown flag", []string{"-wrong"}, exitUsage, nil, []string{"flag provided but not defined: -wrong", "usage: loadtest check"}},
	} {
		var out, errs strings.Builder
		if code := (Program{}).check(tt.args, &out, &errs); code != tt.code {
			t.Errorf("%s: exit code %d, want %d", tt.name, code, tt.code)
		}
		inOrder(t, tt.name, out.String(), tt.out)
		inOrder(t, tt.name, errs.String(), tt.errs)
	}
}

// inOrder fails unless a text has the parts one after another, and nothing if there are
// none.
func inOrder(t *testing.T, name, text string, parts []string) {
	t.Helper()
	rest, found := text, true
	for _, part := range parts {
		if _, rest, found = strings.Cut(rest, part); !found {
			t.Errorf("%s: no %q after the parts before in\n%s", name, part, text)
			return
		}
	}
	if len(parts) == 0 && text != "" {
		t.Errorf("%s: it says %q, want nothing", name, text)
	}
}

// The schema is for editors, which take JSON alone.
func TestCheckPrintsTheSchema(t *testing.T) {
	t.Parallel()
	var out, errs strings.Builder
	if code := (Program{}).check([]string{"-schema", "none.yaml"}, &out, &errs); code != exitOK || errs.Len() > 0 {
		t.Errorf("exit code %d, %s", code, &errs)
	}
	var schema struct{ Properties map[string]any }
	if err := json.Unmarshal([]byte(out.String()), &schema); err != nil || schema.Properties["target"] == nil || schema.Properties["steps"] == nil {
		t.Errorf("%v, %v, want a schema of scenario files", err, schema.Properties)
	}
}

// A file without a target needs a -url, and its mistakes and those of its thresholds
// are said with its name.
func TestScenarioFilesThatCannotRun(t *testing.T) {
	t.Parallel()
	const rest = "rounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a}]\n"
	for _, tt := range []struct{ text, args, want string }{
		{rest, "", "app.yaml: target.url: say where the application is, here or with -url"},
		{rest, "-url ws://h", ""},
		{rest, "-url ws://h:port", "url: want ws://host:port/socket or wss://host/socket"},
		{"target: {url: ws://h}\nslo: lost<x\n" + rest, "", `app.yaml: slo: threshold "lost<x": want a limit without a unit`},
		{"target: {url: ws://h}\n" + rest, "-slo b.ok=1", `-slo: threshold "b.ok=1": no step has this name: there are join a, push a`},
		{"target: [ws://h]\n" + rest, "", "app.yaml: line 1"},
		{"target: {url: ws://h}\n" + rest, "-clients 0", "-clients is 0: leave it out for the default"},
	} {
		path := filepath.Join(t.TempDir(), "app.yaml")
		if err := os.WriteFile(path, []byte(tt.text), 0o644); err != nil {
			t.Fatal(err)
		}
		_, err := parse(path + " " + tt.args)
		if tt.want == "" && err != nil || tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%q %s: %v, want %q", tt.text, tt.args, err, tt.want)
		}
	}
}
