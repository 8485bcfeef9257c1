package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// child makes this test binary the program: it is its own server and attacker.
const child = "ROOST_ATTACK_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	os.Setenv(child, "yes")
	os.Exit(m.Run())
}

// brief is a configuration for few bystanders and a short time.
func brief() *config {
	return &config{Bystanders: 5, For: time.Second, Quiet: time.Second, MaxGrowth: 300}
}

// try runs one attack. How long answers took depends on the machine.
func try(t *testing.T, c *config, name string) row {
	t.Helper()
	a, err := find(name)
	if err != nil {
		t.Fatal(err)
	}
	r, err := c.try(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestNothingDoesNoHarm(t *testing.T) {
	r := try(t, brief(), "nothing")
	if r.Lost != (losses{}) || r.Attacker != "" {
		t.Errorf("lost %+v, attacker %q, want nothing", r.Lost, r.Attacker)
	}
	if r.Before.N == 0 || r.During.N == 0 || r.After.N == 0 || r.Before.P50 <= 0 || r.During.P99 < r.During.P50 || r.During.Max < r.During.P99 {
		t.Errorf("before %+v, during %+v, after %+v, want figures of pings", r.Before, r.During, r.After)
	}
	if r.RSS[0] <= 0 || r.RSS[1] < r.RSS[0] || r.RSS[2] <= 0 {
		t.Errorf("RSS = %v MB, want numbers and the largest in the middle", r.RSS)
	}
}

func TestStoppedServerIsSeen(t *testing.T) {
	c := brief()
	c.For = 2 * time.Second
	if r := try(t, c, "stopped"); r.During.Max < 900 || r.Lost != (losses{}) {
		t.Errorf("during %+v, lost %+v, want a wait of 1 s and no loss", r.During, r.Lost)
	}
}

func TestEndedServerIsLoss(t *testing.T) {
	s, err := start(os.Args[0], false)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	b, err := settle(ctx, s.addr, 3)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-s.ended
	for _, each := range b.all { // until it has learned it
		for each.connected() {
			time.Sleep(time.Millisecond)
		}
	}
	stop()
	if lost, _ := b.result(); lost.Clients != 3 {
		t.Errorf("lost %+v, want 3 clients", lost)
	}
	s.end()
}

// Each attack ends by itself and says what came of it, if it had time to connect.
func TestAttacksEnd(t *testing.T) {
	for _, a := range attacks() {
		if a.fails {
			continue
		}
		t.Run(a.name, func(t *testing.T) {
			t.Parallel()
			s, err := start(os.Args[0], a.deaf)
			if err != nil {
				t.Fatal(err)
			}
			defer s.end()
			defer s.cmd.Process.Kill() // whatever it is busy with
			quiet := a.name == "nothing" || a.name == "busy"
			for long := 200 * time.Millisecond; ; long *= 2 {
				begin := time.Now()
				o := a.strike(t.Context(), &target{addr: s.addr, server: s.cmd.Process.Pid, wait: long}, long)
				if took := time.Since(begin); took > long+3*patience {
					t.Errorf("it took %v, want about %v", took, long)
				}
				if o.Says != "" || quiet {
					return
				}
				if long > patience {
					t.Fatal("it says nothing of what happened")
				}
			}
		})
	}
}

func TestJudge(t *testing.T) {
	quiet := latency{N: 100, P99: 3}
	for _, test := range []struct {
		name   string
		row    row
		gone   bool
		inTime bool
		want   string
	}{
		{"fine", row{Before: quiet, During: latency{P99: 26}, RSS: [3]int{50, 350, 60}}, false, true, ""},
		{"slow", row{Before: quiet, During: latency{P99: 27}}, false, true, "p99 > 26 ms"},
		{"a client", row{Lost: losses{Clients: 1}}, false, true, "lost"},
		{"a message", row{Lost: losses{Messages: 1}}, false, true, "lost"},
		{"memory", row{RSS: [3]int{50, 351, 60}}, false, true, "RSS +301 MB"},
		{"a loop's pass", row{Passes: passes{Longest: time.Second, Worked: 10 * time.Millisecond}}, false, true, ""},
		{"a loop that works", row{Passes: passes{Longest: time.Second, Worked: 12 * time.Millisecond}}, false, true, "pass of 12 ms"},
		{"hung", row{}, false, false, "deaf to SIGTERM"},
		{"dead", row{Lost: losses{Clients: 50}}, true, true, "server ended, lost"},
	} {
		if test.row.judge(brief(), test.gone, test.inTime); test.row.Harm != test.want {
			t.Errorf("%s: harm %q, want %q", test.name, test.row.Harm, test.want)
		}
	}
}

func TestWithin(t *testing.T) {
	start := time.Now()
	var samples []sample
	for n := range 100 {
		samples = append(samples, sample{intended: start.Add(time.Duration(n) * time.Second), took: time.Duration(n+1) * time.Millisecond})
	}
	if got, want := within(samples, start, start.Add(time.Minute)), (latency{60, 31, 60, 60}); got != want {
		t.Errorf("within(first minute) = %+v, want %+v", got, want)
	}
	if got := within(samples, start.Add(-time.Hour), start); got != (latency{}) {
		t.Errorf("within(before) = %+v, want nothing", got)
	}
}

func TestRefusal(t *testing.T) {
	for message, want := range map[string]string{
		`["1","2","room:a","phx_reply",{"status":"error","response":{"reason":"overloaded"}}]`: "overloaded",
		`["1","2","room:a","phx_reply",{"response":{"reason":"overloaded"},"status":"error"}]`: "overloaded",
		`["1","2","room:a","phx_reply",{"response":{},"status":"error"}]`:                      "error",
		`["1","2","room:a","phx_reply",{"response":{"reason":"none"},"status":"ok"}]`:          "",
		`[null,null,"room:a","tell",{"k":"x"}]`:                                                "",
	} {
		if got := refusal([]byte(message)); got != want {
			t.Errorf("refusal(%s) = %q, want %q", message, got, want)
		}
	}
}

// The main job: the table, the folder, and the exit code.
func TestContest(t *testing.T) {
	folder := t.TempDir()
	var out bytes.Buffer
	code := contest(t.Context(), []string{"-only", "nothing,stopped", "-for", "300ms", "-quiet", "300ms", "-bystanders", "2", "-commit", "abc", "-out", folder}, &out, io.Discard)
	for _, want := range []string{"server abc\n", "\nattack ", "\nnothing ", "\nstopped ", "2 attacks, "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
	for line := range strings.Lines(out.String()) {
		if utf8.RuneCountInString(line) > 200 {
			t.Errorf("longer than 200 columns: %s", line)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "attack.txt"))
	if err != nil || string(text) != out.String() {
		t.Errorf("attack.txt: error %v, want the table as it was printed", err)
	}
	figures, err := os.ReadFile(filepath.Join(folder, "attack.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(figures, &r); err != nil || len(r.Rows) != 2 || r.Machine.Cores == 0 || r.Config.Commit != "abc" {
		t.Errorf("attack.json: error %v, %+v, want two rows, the machine and the commit", err, r)
	}
	if code != r.exitCode() || code != 0 && code != harmed {
		t.Errorf("exit code %d, want %d for the rows %+v", code, r.exitCode(), r.Rows)
	}
}

func TestArguments(t *testing.T) {
	for args, want := range map[string]int{
		"-help": 0, "-list": 0, "-only nonsense": misused, "-for 0s": misused, "-quiet 2h": misused, "-bystanders 0": misused, "-rss 0": misused, "rest": misused, "-x": misused,
	} {
		var out bytes.Buffer
		if code := contest(t.Context(), strings.Fields(args), &out, &out); code != want || out.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d and an explanation:\n%s", args, code, want, &out)
		}
	}
}

// Ctrl-C ends a run, and the processes of it.
func TestInterrupt(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer stop()
	if code := contest(ctx, []string{"-only", "nothing", "-for", "30s"}, io.Discard, io.Discard); code != interrupted {
		t.Errorf("exit code %d, want %d", code, interrupted)
	}
}

// Of three rounds the medians of times count, each by itself, and all that was lost.
func TestMedian(t *testing.T) {
	round := func(p99, worked float64, lost int) row {
		r := row{Before: latency{P99: 3}, During: latency{P99: p99}, Lost: losses{Messages: lost}}
		r.Passes.Worked = time.Duration(worked * float64(time.Millisecond))
		r.judge(brief(), false, true)
		return r
	}
	for _, test := range []struct {
		name   string
		rounds []row
		want   string
	}{
		{"once slow", []row{round(40, 3, 0), round(9, 4, 0), round(12, 3, 0)}, ""},
		{"twice slow", []row{round(40, 3, 0), round(9, 4, 0), round(27, 3, 0)}, "p99 > 26 ms"},
		{"a pass and another's p99", []row{round(9, 12, 0), round(40, 3, 0), round(10, 4, 0)}, ""},
		{"two passes, of the fast rounds", []row{round(9, 12, 0), round(8, 13, 0), round(40, 4, 0)}, "pass of 12 ms"},
		{"lost once", []row{round(40, 3, 0), round(9, 3, 2), round(9, 3, 1)}, "lost"},
	} {
		if m := median(test.rounds); m.Harm != test.want || m.Rounds != 3 {
			t.Errorf("%s: harm %q of %d rounds, want %q of 3", test.name, m.Harm, m.Rounds, test.want)
		}
	}
}
