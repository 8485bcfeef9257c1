package cli

import (
	"flag"
	"io"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/plan"
)

// helpOf is what the arguments print.
func helpOf(t *testing.T, args ...string) string {
	t.Helper()
	var b strings.Builder
	if _, err := (Program{}).parseOptions(append(args, "-help"), &b); err != errHelp {
		t.Fatalf("%q -help: %v", args, err)
	}
	return b.String()
}

// Each flag is in one group of -help, and no line is longer than a terminal is wide.
func TestHelp(t *testing.T) {
	t.Parallel()
	var o options
	known := make(map[string]int)
	for _, g := range flagGroups {
		for name := range strings.FieldsSeq(g.Flags) {
			known[name]++
			if o.flags().Lookup(name) == nil {
				t.Errorf("there is no flag -%s", name)
			}
		}
	}
	o.flags().VisitAll(func(f *flag.Flag) {
		if known[f.Name] != 1 {
			t.Errorf("-%s is in %d groups, want one", f.Name, known[f.Name])
		}
	})
	all := []string{""}
	for _, s := range plan.Scenarios() {
		all = append(all, string(s))
	}
	for _, name := range all {
		for line := range strings.Lines(helpOf(t, strings.Fields(name)...)) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
				t.Errorf("%s -help: %d columns: %s", name, n, line)
			}
		}
	}
}

// The help of a scenario has its own flags alone, that of a scenario file none that
// the file has instead.
func TestHelpOfScenario(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args, want, not string
	}{
		{"", "\ntarget:\n  -url ws://host:port/path  running server", ""},
		{"", "(default 10,000, or fewer", "(default 0"},
		{"storm", "-how drain ", "-zipf"},
		{"chat", "(default room:lobby)", "-how"},
		{"app", "-rate a second", "-topic"},
		{"../examples/chat.yaml", "usage: loadtest app", "-zipf"},
	} {
		got := helpOf(t, strings.Fields(test.args)...)
		if !strings.Contains(got, test.want) || test.not != "" && strings.Contains(got, test.not) {
			t.Errorf("%s -help: want %q and not %q:\n%s", test.args, test.want, test.not, got)
		}
	}
	if _, err := (Program{}).parseOptions([]string{"none", "-help"}, io.Discard); err == nil {
		t.Error("no scenario, but help of it")
	}
}

// Each command explains itself on standard output, with its flags, by the name that
// people call it by.
func TestHelpOfEachCommand(t *testing.T) {
	t.Parallel()
	help := []string{"-help"}
	for name, tt := range map[string]struct {
		print func(p Program, out io.Writer) int
		flag  string // one of its own
	}{
		"compare":  {func(p Program, out io.Writer) int { return p.compare(help, out) }, "-fail-if-worse"},
		"report":   {func(p Program, out io.Writer) int { return p.rerender(help, out) }, ""},
		"capacity": {func(p Program, out io.Writer) int { return p.forecast(help, out, io.Discard) }, "-headroom share"},
		"doctor":   {func(p Program, out io.Writer) int { return p.examine(nil, help, out, io.Discard) }, "-files-per-process files"},
		"tune":     {func(p Program, out io.Writer) int { return p.adjust(help, out, io.Discard) }, "-role server"},
		"agent":    {func(p Program, out io.Writer) int { return p.serveAgent(t.Context(), help, out, io.Discard) }, "-listen address"},
		"check":    {func(p Program, out io.Writer) int { return p.check(help, io.Discard, out) }, "-schema"},
	} {
		for _, p := range []Program{{}, {Parent: "roost"}} {
			var out strings.Builder
			if code := tt.print(p, &out); code != exitOK || !strings.Contains(out.String(), p.name(name)) || !strings.Contains(out.String(), tt.flag) {
				t.Errorf("%s -help: exit code %d, want %q and %q in\n%s", name, code, p.name(name), tt.flag, &out)
			}
			if p.Parent != "" && strings.Contains(strings.ToLower(out.String()), "loadtest "+name) {
				t.Errorf("roost: the help of %s calls it by another name:\n%s", name, &out)
			}
		}
	}
}
