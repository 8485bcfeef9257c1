package main_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/report"
	"github.com/roost-rt/roost/server/phx"
)

// readKnee reads what a search saved.
func readKnee(t *testing.T, path string) (s report.Sweep) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// A search of real runs: a bound that nothing could miss holds up to the most, and
// one that nothing could meet does not hold at the least.
func TestKnee(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name, args string
		code       int
		runs       int
		want       string
	}{
		{"rate", "chat -slo lost=0,p99<1h -vary rate -from 20 -most 30 -clients 5", 0, 2, "All holds: a rate of 30 held in 1 of 1 runs"},
		{"clients", "-slo=p50<1ns -vary=clients -from 4 -least 3 -rate 20 -messages 5", 99, 2, "Nothing holds: 3 clients broke in 1 of 1 runs"},
		{"why", "-slo=p50<1ns,joins>0 -from 20 -least 20 -clients 3", 99, 1, "what broke there: p50<1ns (1 of 1 runs)"},
		{"open loop", "echo -slo replies>1 -vary rate -from 50 -most 50 -clients 5", 0, 1, "All holds: a rate of 50"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			args := append(strings.Fields("knee "+test.args), "-each", "200ms", "-repeats", "1", "-out", "found", "-json", "found.json")
			c, out := start(t, args...)
			if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Fatalf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
			s := readKnee(t, filepath.Join(c.Dir, "found.json"))
			if len(s.Trials) != test.runs || !s.Sure || s.Ended != "" {
				t.Errorf("%d runs, sure %v, ended %q, want %d, and all that is asked for", len(s.Trials), s.Sure, s.Ended, test.runs)
			}
			for _, trial := range s.Trials {
				if reason := trial.Reason(); trial.Held != (reason == "") || !strings.Contains(out.String(), reason) {
					t.Errorf("%+v: the reason is %q, of a run that broke alone, and shown:\n%s", trial, reason, out)
				}
				if trial.Generator == "" || trial.P99Ms == nil {
					t.Errorf("%+v: want latencies and a judgement of the generator", trial)
				}
				if _, err := os.Stat(filepath.Join(c.Dir, "found", trial.Folder, "report.html")); err != nil {
					t.Error(err)
				}
			}
			for _, name := range []string{"knee.html", "knee.txt", "knee.json"} {
				if _, err := os.Stat(filepath.Join(c.Dir, "found", name)); err != nil {
					t.Error(err)
				}
			}
		})
	}
}

// The rate and the users of a scenario file, one with stages too: those are left out
// where the rate is varied. A table of users bounds their number. No more rounds are
// due than there are users, so none is skipped however slow the machine.
func TestKneeOfScenarioFile(t *testing.T) {
	t.Parallel()
	url := application(t, phx.Mount{Routes: lobby()})
	quick := map[string]string{"500ms..1500ms": "5ms..20ms", "count: 50": "count: 10"}
	table := map[string]string{"500ms..1500ms": "5ms..20ms", "count: 50": "file: users.csv"}
	for _, test := range []struct {
		name, file string
		lines      map[string]string
		args, want string
	}{
		{"rate", "chat.yaml", quick, "-vary rate -from 8 -most 10", "All holds: a rate of 10 held in 1 of 1 runs"},
		{"clients", "chat.yaml", quick, "-vary clients -from 4 -most 6", "All holds: 6 clients held in 1 of 1 runs"},
		{"stages", "stages.yaml", map[string]string{"users: 50": "users: 3", "users: 200": "users: 4"}, "-vary rate -from 4 -most 4", "All holds: a rate of 4"},
		{"table", "chat.yaml", table, "-vary clients", "All holds: 3 clients"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			lines := map[string]string{"room:lobby": "room:" + test.name}
			maps.Copy(lines, test.lines)
			args := append([]string{"knee", briefly(t, test.file, lines), "-url", url}, strings.Fields(test.args)...)
			c, out := start(t, append(args, "-slo", "p99<1h", "-each", "1s", "-repeats", "1", "-out", "found")...)
			if code := exitCode(t, c.Wait()); code != 0 || !strings.Contains(out.String(), test.want) {
				t.Fatalf("exit code %d, want 0 with %q:\n%s", code, test.want, out)
			}
		})
	}
}

// A run that breaks off is no run that holds, whatever it has measured until then: the
// second one's server ends at once.
func TestKneeOfARunThatBreaks(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	server := filepath.Join(folder, "server")
	script := "#!/bin/sh\nmkdir \"$0.once\" 2>/dev/null || exit 3\nexec " + program + " internal-server\n"
	if err := os.WriteFile(server, []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	c, out := start(t, "knee", "-slo", "lost=0", "-vary", "rate", "-server", server, "-clients", "5", "-from", "20", "-most", "30", "-each", "200ms", "-repeats", "1", "-out", "found")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	s := readKnee(t, filepath.Join(c.Dir, "found", "knee.json"))
	if len(s.Trials) < 2 || !s.Trials[0].Held || s.Trials[1].Held || !strings.Contains(s.Trials[1].Reason(), "exit status 3") || s.Holds == nil || s.Holds.Value != 20 {
		t.Errorf("%+v, want a run that holds and others that broke, because their server ends:\n%s", s.Trials, out)
	}
}

// Ctrl-C ends the search with what is known, and no child stays.
func TestKneeInterrupt(t *testing.T) {
	t.Parallel()
	c, out := start(t, "knee", "-slo", "lost=0", "-vary", "rate", "-clients", "5", "-each", "200ms", "-out", "found", "-repeats", "1000", "-runs", "1000", "-most", "1")
	waitFor(t, "two runs and a third", func() bool {
		runs, _ := filepath.Glob(filepath.Join(c.Dir, "found", "03-*", "records.jsonl"))
		return len(runs) > 0
	})
	family := children(c)
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 130 || !strings.Contains(strings.Join(strings.Fields(out.String()), " "), "ended early, interrupted: these are the results so far") {
		t.Errorf("exit code %d, want 130 and what is known:\n%s", code, out)
	}
	s := readKnee(t, filepath.Join(c.Dir, "found", "knee.json"))
	if len(s.Trials) != 2 || s.Holds == nil || s.Holds.Runs != 2 || s.Sure {
		t.Errorf("%d runs, %+v, want the two that were whole", len(s.Trials), s.Holds)
	}
	for _, pid := range family {
		if alive(pid) {
			t.Errorf("child %s is left behind", pid)
		}
	}
}

func TestKneeArguments(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		code int
		want string
	}{
		{"-help", 0, "flags of knee:"},
		{"", 2, "no -slo"},
		{"-slo p42<1ms", 2, "unknown name"},
		{"-slo lost=0 -vary size", 2, "want rate or clients"},
		{"-slo lost=0 -rate 5", 2, "-rate: -vary sets it"},
		{"-slo lost=0 -vary clients -clients=5", 2, "-clients: -vary sets it"},
		{"-slo lost=0 -wrong", 2, "-wrong"},
		{"-slo lost=0 wrong", 2, `no scenario "wrong"`},
		{"-slo lost=0 -from 0.1 -most 0.01", 2, "between least"},
		{"-slo lost=0 -from x", 2, "want a number"},
		{"idle -slo lost=0 -vary rate", 2, "-rate has no effect in idle"},
		{"-slo lost=0 -each 0s", 2, "must be more than 0"},
		{"-slo lost=0 -out .", 2, "exists already"},
		{"-slo lost=0 -clients 1000000000 -out found", 1, "too many clients"},
		{"-slo lost=0 -server /bin/false -clients 2 -out found", 1, "server process 0"},
		{"-slo lost=0 -url ws://127.0.0.1:1 -clients 2 -out found", 1, "connection refused"},
	} {
		t.Run(test.args, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, append([]string{"knee"}, strings.Fields(test.args)...)...)
			if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("exit code %d, want %d with %q:\n%s", code, test.code, test.want, out)
			}
		})
	}
}
