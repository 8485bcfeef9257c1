package main

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// asRoost has this test be the program, and so what that starts.
const asRoost = "ROOST_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asRoost) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

// roost runs the program to its end.
func roost(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), self, args...)
	c.Env, c.Dir = append(os.Environ(), asRoost+"=1"), t.TempDir()
	var out, errs strings.Builder
	c.Stdout, c.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return c.ProcessState.ExitCode(), out.String(), errs.String()
}

// Each command is reached by the name that its help and its errors then have.
func TestCommands(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args string
		code int
		want string // begins what it prints
	}{
		{"-version", 0, "roost "},
		{"--version", 0, "roost "},
		{"version", 0, "roost "},
		{"-help", 0, "Roost is "},
		{"", 0, "Roost is "},
		{"serve -help", 0, "usage: roost serve [flags]"},
		{"help serve", 0, "usage: roost serve [flags]"},
		{"config print -addr :5000", 0, "accept-rate: 0 # default\n"},
		{"config", 2, "roost config: want check or print; see -help"},
		{"serve -adr x", 2, "roost serve: no flag -adr: did you mean -addr?; see -help"},
		{"serve -addr nonsense", 2, `roost serve: -addr is "nonsense": want HOST:PORT`},
		{"bench -help", 0, "usage: roost bench [SCENARIO"},
		{"bench storm --help", 0, "usage: roost bench storm [flags]"},
		{"bench knee -help", 0, "usage: roost bench knee ["},
		{"bench compare-servers -help", 0, "roost bench compare-servers measures"},
		{"bench report", 2, "roost bench report: want the folder of a run; see -help"},
		{"bench none", 2, `roost bench: no scenario "none"`},
		{"plan -clients 100", 0, "100 clients of 1 server process"},
		{"plan -clients 1000000000", 1, "roost plan: too many clients"},
		{"capacity", 2, "roost capacity: want the folder of a run; see -help"},
		{"capacity -help", 0, "usage: roost capacity RUN"},
		{"compare", 2, "roost compare: "},
		{"doctor -help", 0, "usage: roost doctor [flags]"},
		{"tune", 2, "roost tune: want diff, apply, status or rollback; see -help"},
		{"tune -help", 0, "usage: roost tune diff|apply|status|rollback [flags]"},
		{"gen -help", 0, "usage: roost gen channel [flags] NAME"},
		{"gen channel Chat -dir /dev/null/x", 1, "roost gen: "},
		{"gen channel Chat -fast", 2, "roost gen: flag provided but not defined: -fast; see -help"},
		{"bench -cliens 5", 2, "roost bench: no flag -cliens: did you mean -clients?; see -help"},
		{"completion tcsh", 2, `roost: unknown command "tcsh" for "roost completion"`},
		{"help nope", 2, `roost: unknown command "nope"`},
		{"help tune", 0, "usage: roost tune "},
		{"help completion", 0, "Generate "},
		{"srve", 2, "roost: unknown command \"srve\" for \"roost\"\n\nDid you mean this?\n\tserve"},
		{"-wrong", 2, "roost: unknown shorthand flag"},
	} {
		code, stdout, stderr := roost(t, strings.Fields(tt.args)...)
		if code != tt.code || !strings.HasPrefix(stdout+stderr, tt.want) {
			t.Errorf("roost %s: exit code %d, %.300q, want %d, %q", tt.args, code, stdout+stderr, tt.code, tt.want)
		}
		if asked, other := stdout, stderr; (code == 0) != (asked != "" && other == "") {
			t.Errorf("roost %s: exit code %d, and says %.300q, and %.300q as errors", tt.args, code, stdout, stderr)
		}
		if strings.Contains(stdout+stderr, "loadtest ") {
			t.Errorf("roost %s speaks of another program: %s", tt.args, stdout+stderr)
		}
	}
}

// Help and completion know every command, and those that do the work know it, too.
func TestHelpHasAll(t *testing.T) {
	t.Parallel()
	_, help, _ := roost(t, "--help")
	_, words, _ := roost(t, "__complete", "")
	for _, group := range groups() {
		if !strings.Contains(help, "\n"+group.title+"\n") {
			t.Errorf("the help has no group %q", group.title)
		}
		for _, c := range group.commands {
			if !strings.Contains(help, "\n  "+c.name+" ") || !strings.Contains(words, c.name+"\t"+c.says+"\n") {
				t.Errorf("%s is not in the help %q or among the words %q", c.name, help, words)
			}
		}
	}
}

func TestCompletion(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typed, want string }{
		{"serve -", `(?m)^-addr\tHOST:PORT to listen on`},
		{"serve --tls", `(?m)^--tls-cert\t`},
		{"bench -", `(?m)^-clients\tnumber of clients`},
		{"bench knee -", `(?m)^-vary\t`},
		{"bench -clients 100 -sl", `(?m)^-slo\t`},
		{"tune ", `(?m)^rollback$`},
		{"tune diff -", `(?m)^-clients\t`},
		{"bench ", `(?m)^storm$`},
		{"gen ", `(?m)^presence$`},
	} {
		if _, words, _ := roost(t, append([]string{"__complete"}, strings.Split(tt.typed, " ")...)...); !regexp.MustCompile(tt.want).MatchString(words) {
			t.Errorf("after %q come %q, want %s", tt.typed, words, tt.want)
		}
	}
	for shell, want := range map[string]string{"bash": "complete -o default -F __start_roost roost", "zsh": "#compdef roost", "fish": "complete -c roost"} {
		if code, script, _ := roost(t, "completion", shell); code != 0 || !strings.Contains(script, want) {
			t.Errorf("roost completion %s: exit code %d and %.200q, want %q", shell, code, script, want)
		}
	}
}

// A run starts servers and clients, which are this program, too.
func TestBench(t *testing.T) {
	t.Parallel()
	code, stdout, stderr := roost(t, "bench", "-clients", "20", "-messages", "2", "-rate", "20", "-json", "x")
	if code != 0 || !strings.Contains(stdout, "All delivered: 40 messages to 20 clients") {
		t.Errorf("exit code %d, want 0 and all delivered:\n%s%s", code, stdout, stderr)
	}
}
