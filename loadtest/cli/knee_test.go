package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/roost-rt/roost/loadtest/knee"
	"github.com/roost-rt/roost/loadtest/report"
)

// A search for the most clients does not leave the kernel's sockets on the way: runs on
// both sides of it would not be of the same thing.
func TestKneeHasOneTCP(t *testing.T) {
	for args, want := range map[string]string{
		"-vary clients":                  "kernel",
		"-vary clients -client-tcp auto": "kernel",
		"-vary clients -client-tcp bpf":  "bpf",
		"-vary rate":                     "",
	} {
		k, err := Program{}.parseKnee(append(strings.Fields(args), "-slo", "lost=0"), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Program{}.parseOptions(k.arguments(100), io.Discard)
		if err != nil || string(o.config.ClientTCP) != want {
			t.Errorf("%s: a run has TCP %q, %v, want %q", args, o.config.ClientTCP, err, want)
		}
	}
}

// parseKnee parses the arguments of a search, without quotes.
func parseKnee(args string) (kneeSearch, error) {
	return Program{}.parseKnee(strings.Fields(args), io.Discard)
}

// What makes no sense is found before the first run, and said with what to do.
func TestKneeMistakes(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"":                                     "no -slo: say what a run has to meet, such as 'p99<200ms,lost=0'",
		"-slo lost=0 -vary size":               "-vary size: want rate or clients",
		"-slo p98<1s":                          `-slo: threshold "p98<1s": unknown name`,
		"-slo lost=0 -each 0s":                 "-each and -within must be more than 0",
		"-slo lost=0 -each -1s":                "-each and -within must be more than 0",
		"-slo lost=0 -within 0s":               "-each and -within must be more than 0",
		"-slo lost=0 -rate 5":                  "-rate: -vary sets it: use -from to choose where to start",
		"-slo lost=0 --rate=5":                 "-rate: -vary sets it",
		"-slo lost=0 -vary clients -clients 5": "-clients: -vary sets it",
		"-slo lost=0 -from -5":                 "from: -5: want a load above 0",
		"-slo lost=0 -from NaN":                "from: NaN",
		"-slo lost=0 -from x":                  "want a number",
		"-slo lost=0 -from 5 -most 4":          "from: 5 is not between least, 0.005, and most, 4",
		"-slo lost=0 -from 5 -least 6":         "from: 5 is not between least, 6,",
		"-slo lost=0 -precision 2":             "precision: 2: want 0.001 to 1",
		"-slo lost=0 -repeats -1":              "repeats: must be at least 1",
		"-slo lost=0 -runs -1":                 "trials: must be at least 1",
		"-slo lost=0 -out .":                   "-out . exists already: its runs would be mistaken for new ones",
		"-slo lost=0 -wrong":                   "-wrong",
		"-slo lost=0 talk":                     `no scenario "talk"`,
		"-slo lost=0 chat -inflight 5":         "-inflight has no effect in chat",
		"idle -slo lost=0":                     "-rate has no effect in idle",
		"-slo":                                 "flag needs an argument: -slo",
		"-slo lost=0 -vary clients -from 1000000000000000000000": "-clients",
	} {
		if _, err := parseKnee(args); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("knee %s: %v, want %q", args, err, want)
		}
	}
}

// Arguments that knee knows are its own; all others are those of the runs, with their
// values and in their order.
func TestKneeDividesArguments(t *testing.T) {
	t.Parallel()
	for args, want := range map[string][]string{
		"-slo lost=0":                                          {"-slo", "lost=0"}, // given to the runs, too
		"echo -slo lost=0 -size 200 -repeats 3":                {"echo", "-size", "200", "-slo", "lost=0"},
		"-slo=lost=0 -quiet -insecure -runs=5":                 {"-insecure", "-slo", "lost=0"},
		"-quiet -url ws://h -slo lost=0":                       {"-url", "ws://h", "-slo", "lost=0"},
		"-quiet echo -slo lost=0":                              {"echo", "-slo", "lost=0"},
		"-slo lost=0 -insecure -out /no/such -json x":          {"-insecure", "-slo", "lost=0"},
		"--slo lost=0 --url=ws://h -header A:b":                {"--url=ws://h", "-header", "A:b", "-slo", "lost=0"},
		"-slo lost=0 -vary clients -rate 5 -client-tcp kernel": {"-rate", "5", "-client-tcp", "kernel", "-slo", "lost=0"},
	} {
		k, err := parseKnee(args)
		if err != nil || !slices.Equal(k.run, want) {
			t.Errorf("knee %s: runs have %q, %v, want %q", args, k.run, err, want)
		}
	}
}

// Without -from a search begins low: at a rate of 1, of an echo at 100, and at 100
// clients, or as many as there can be.
func TestWhereTheKneeIsSought(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]struct {
		from, most float64
		whole      bool
	}{
		"":                                     {1, 0, false},
		"echo":                                 {100, 0, false},
		"-most 0.5":                            {0.5, 0.5, false},
		"echo -most 5000":                      {100, 5000, false},
		"-vary clients":                        {100, 0, true},
		"-vary clients -most 30":               {30, 30, true},
		"-from 7 -most 30":                     {7, 30, false},
		"echo -vary clients -from 20":          {20, 0, true},
		"../examples/login.yaml -vary clients": {3, 3, true}, // there are rows for so many
		"../examples/login.yaml -vary clients -most 2": {2, 2, true},
		"../examples/login.yaml":                       {1, 0, false},
	} {
		k, err := parseKnee("-slo lost=0 " + args)
		if err != nil || k.search.From != want.from || k.search.Most != want.most || k.search.Whole != want.whole {
			t.Errorf("knee %s: from %v, most %v, whole: %v, %v, want %+v", args, k.search.From, k.search.Most, k.search.Whole, err, want)
		}
	}
	if k, err := parseKnee("-slo lost=0"); err != nil || k.vary != "rate" || k.each != 10*time.Second || k.within != time.Hour || k.search.Precision != 0.05 || k.search.Repeats != 5 || k.search.Trials != 60 ||
		!strings.HasPrefix(k.out, "results/") || !strings.HasSuffix(k.out, "-knee") {
		t.Errorf("%+v, %v, want the defaults of -help", k, err)
	}
}

// A scenario file's thresholds are enough, and count beside those of the command.
func TestThresholdsOfASearch(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "app.yaml")
	text := "target: {url: ws://h}\nrounds: 1\ntopics: [{topic: a}]\nsteps: [{push: a}]\nslo: [p99<1s, a.errors=0]\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{path: "p99<1s,a.errors=0", path + " -slo lost=0": "p99<1s,a.errors=0,lost=0", "-slo lost=0 chat": "lost=0"} {
		if k, err := parseKnee(args); err != nil || k.slos.String() != want {
			t.Errorf("knee %s: each run has to hold %s, %v, want %s", args, k.slos.String(), err, want)
		}
	}
}

// A run has what was asked for, the number that is tried, and as many messages as there
// is time for; what the user says comes first.
func TestArgumentsOfATrial(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args  string
		value float64
		want  string // without -slo lost=0
	}{
		{"-each 10s", 4, "-rate 4 -messages 40"},
		{"-each 10s", 0.25, "-rate 0.25 -messages 5"},
		{"-each 10s", 1234.5678, "-rate 1234.57 -messages 12346"},
		{"-messages 7", 4, "-messages 7 -rate 4"},
		{"--messages=7", 4, "--messages=7 -rate 4"},
		{"rooms -each 3s", 4, "rooms -rate 4 -messages 12"},
		{"echo -each 5s", 1000, "echo -rate 1000 -for 5s"},
		{"echo -for 2s", 1000, "echo -for 2s -rate 1000"},
		{"soak -each 5s", 2, "soak -rate 2 -for 5s"},
		{"-vary clients -each 10s", 300, "-client-tcp kernel -clients 300 -rate 2 -messages 20"},
		{"-vary clients -rate 3 -each 10s", 300, "-rate 3 -client-tcp kernel -clients 300 -messages 30"},
		{"-vary clients -client-tcp tun", 1e6, "-client-tcp tun -clients 1000000 -rate 2 -messages 20"},
		{"idle -vary clients -each 7s", 300, "idle -client-tcp kernel -clients 300 -for 7s"},
		{"../examples/chat.yaml -each 7s", 12.5, "../examples/chat.yaml -rate 12.5 -for 7s"},
		{"../examples/chat.yaml -vary clients -each 7s", 300, "../examples/chat.yaml -client-tcp kernel -clients 300 -for 7s"},
	} {
		k, err := parseKnee("-slo lost=0 " + tt.args)
		if err != nil {
			t.Errorf("%s: %v", tt.args, err)
			continue
		}
		got := strings.Replace(strings.Join(k.arguments(tt.value), " "), " -slo lost=0", "", 1)
		got = strings.TrimSpace(strings.Replace(got, "-slo lost=0 ", "", 1))
		if got != tt.want {
			t.Errorf("knee %s: a run at %v has %q, want %q", tt.args, tt.value, got, tt.want)
		}
		if _, err := (Program{}).parseOptions(k.arguments(tt.value), io.Discard); err != nil {
			t.Errorf("knee %s: a run does not take its arguments: %v", tt.args, err)
		}
	}
}

// The result is a page, a text and a document in the folder, and on the terminal the
// text; JSON goes where it is asked for, too.
func TestKneeIsSaved(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	k := kneeSearch{out: filepath.Join(folder, "new", "found"), json: filepath.Join(folder, "a.json")}
	sweep := &report.Sweep{Vary: "rate", SLO: "lost=0", Sure: true,
		Holds:  pointOf(&knee.Point{Load: 40, Held: 5, Runs: 6, From: 0.4, To: 0.9}),
		Breaks: pointOf(&knee.Point{Load: 42, Held: 1, Runs: 3, From: 0.1, To: 0.8}),
		Trials: []report.Trial{{Value: 40, Held: true, Folder: "01-40"}, {Value: 42, Why: []string{"7 lost"}, Folder: "02-42"}}}
	var terminal strings.Builder
	if err := k.save(sweep, &terminal); err != nil {
		t.Fatal(err)
	}
	const says = "The knee: a rate of 40 holds, a rate of 42 does not"
	for _, name := range []string{"knee.html", "knee.txt"} {
		if text, err := os.ReadFile(filepath.Join(k.out, name)); err != nil || !strings.Contains(string(text), says) {
			t.Errorf("%s: %v, want %q in it", name, err, says)
		}
	}
	for _, path := range []string{filepath.Join(k.out, "knee.json"), k.json} {
		var read report.Sweep
		if text, err := os.ReadFile(path); err != nil || json.Unmarshal(text, &read) != nil || !reflect.DeepEqual(&read, sweep) {
			t.Errorf("%s: %v, %+v, want what was found", path, err, read)
		}
	}
	if *sweep.Holds != (report.SweepPoint{Value: 40, Held: 5, Runs: 6, From: 0.4, To: 0.9}) || pointOf(nil) != nil {
		t.Errorf("the point is %+v", *sweep.Holds)
	}
	if !strings.Contains(terminal.String(), says) || !strings.HasSuffix(terminal.String(), "\nSaved in "+k.out+" (knee.html shows it).\n") {
		t.Errorf("the terminal has\n%s", &terminal)
	}
	terminal.Reset()
	k.json = filepath.Join(folder, "no", "a.json")
	if err := k.save(sweep, &terminal); err == nil || !strings.Contains(err.Error(), k.json) || !strings.Contains(terminal.String(), says) || strings.Contains(terminal.String(), "Saved") {
		t.Errorf("where a file cannot be written: %v, want an error that names it, and the text\n%s", err, &terminal)
	}
}

// A fakeRun returns the outcome of a run at a value.
type fakeRun func(ctx context.Context, value float64, number int) (report.Trial, error)

// search finds the knee of fake runs, and what the terminal has then.
func search(t *testing.T, ctx context.Context, args string, run fakeRun) (*report.Sweep, string, error) {
	t.Helper()
	k, err := parseKnee("-slo lost=0 -from 100 -precision 1 " + args)
	if err != nil {
		t.Fatal(err)
	}
	var terminal strings.Builder
	sweep, err := k.find(ctx, run, &terminal)
	return sweep, terminal.String(), err
}

// upTo holds up to a value.
func upTo(most float64) fakeRun {
	return func(_ context.Context, value float64, number int) (report.Trial, error) {
		trial := report.Trial{Value: value, Held: value <= most, Folder: fmt.Sprint(number)}
		if !trial.Held {
			trial.Why = []string{"7 lost"}
		}
		return trial, nil
	}
}

// Runs are numbered from one on, and the highest that holds, and the lowest that does
// not, are told with how many runs say so.
func TestFindKnee(t *testing.T) {
	t.Parallel()
	sweep, terminal, err := search(t, t.Context(), "-repeats 2", upTo(300))
	if err != nil || !sweep.Sure || sweep.Ended != "" || sweep.Holds.Value != 200 || sweep.Holds.Held != 2 || sweep.Breaks.Value != 400 || sweep.Breaks.Held != 0 || sweep.Vary != "rate" || sweep.SLO != "lost=0" {
		t.Errorf("%v: %+v, holds %+v, breaks %+v", err, sweep, sweep.Holds, sweep.Breaks)
	}
	var made []string
	for _, trial := range sweep.Trials {
		made = append(made, trial.Folder+": "+trial.Number())
	}
	if want := []string{"1: 100", "2: 200", "3: 400", "4: 200"}; !slices.Equal(made, want) {
		t.Errorf("runs %q, want %q", made, want)
	}
	lines := strings.Split(strings.TrimSpace(terminal), "\n")
	if len(lines) != 5 || !strings.HasPrefix(lines[0], "1  rate 100       holds") || !strings.HasPrefix(lines[2], "  3  rate 400       broke") || lines[3] != "     7 lost" || !strings.HasPrefix(lines[4], "  4  rate 200") {
		t.Errorf("the terminal has\n%s", terminal)
	}
	if _, terminal, _ := search(t, t.Context(), "-repeats 2 -quiet", upTo(300)); terminal != "" {
		t.Errorf("-quiet: the terminal has %q", terminal)
	}
}

// A first run that cannot be made ends the search: it is not the load. A later one breaks.
func TestRunsThatCannotBeMade(t *testing.T) {
	t.Parallel()
	errBroken := errors.New("no such server")
	from := func(first int) fakeRun {
		return func(ctx context.Context, value float64, number int) (report.Trial, error) {
			if number >= first && value > 100 || number == first {
				return report.TrialOf(value, nil, errBroken.Error()), errBroken
			}
			return upTo(1000)(ctx, value, number)
		}
	}
	sweep, _, err := search(t, t.Context(), "-repeats 1", from(1))
	if !errors.Is(err, errBroken) || len(sweep.Trials) != 0 || sweep.Holds != nil || sweep.Breaks != nil {
		t.Errorf("the first: %v, %+v, want its error and no runs", err, sweep)
	}
	sweep, terminal, err := search(t, t.Context(), "-repeats 1", from(2))
	if err != nil || sweep.Holds == nil || sweep.Holds.Value != 100 || sweep.Breaks == nil || sweep.Breaks.Value != 200 || !strings.Contains(terminal, "     no such server\n") {
		t.Errorf("the second: %v, %+v, want 100 to hold and 200 not\n%s", err, sweep, terminal)
	}
}

// What was found so far stays when somebody ends the search, or its time is over; the
// run that was cut short says nothing.
func TestKneeEndsEarly(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, args string
		after      time.Duration // somebody ends it
		runs       int
		ended      string
	}{
		{"somebody", "-within 2h", 35 * time.Minute, 3, "interrupted"},
		{"its time", "-within 35m", time.Hour, 3, "after -within 35m0s"},
		{"an hour, unless asked for more", "", 2 * time.Hour, 5, "after -within 1h0m0s"},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), tt.after)
			defer cancel()
			sweep, _, err := search(t, ctx, tt.args, func(ctx context.Context, value float64, number int) (report.Trial, error) {
				select {
				case <-time.After(11 * time.Minute):
					return upTo(1e9)(ctx, value, number)
				case <-ctx.Done():
					return report.Trial{Value: value}, ctx.Err()
				}
			})
			if err != nil || len(sweep.Trials) != tt.runs || sweep.Ended != tt.ended || sweep.Holds == nil || sweep.Holds.Runs != 1 || sweep.Breaks != nil || sweep.Sure {
				t.Errorf("%s: %v, %d runs, ended %q, %+v, want %d and %q", tt.name, err, len(sweep.Trials), sweep.Ended, sweep.Holds, tt.runs, tt.ended)
			}
		})
	}
}

// A run that was made and missed something did not break down.
func TestBrokenRuns(t *testing.T) {
	t.Parallel()
	if broke(nil) || !broke(errors.New("exec: not found")) {
		t.Error("a run without an error broke, or one that did not start did not")
	}
	for code, want := range map[int]bool{exitMissed: false, exitBroken: true, exitUsage: true, exitInterrupted: true} {
		if err := exec.Command("sh", "-c", fmt.Sprint("exit ", code)).Run(); err == nil || broke(err) != want {
			t.Errorf("exit code %d: broke: %v, want %v", code, broke(err), want)
		}
	}
}

func TestHelpOfKnee(t *testing.T) {
	t.Parallel()
	for _, args := range []string{"-help", "-h", "echo -help -slo x", "--help"} {
		var help strings.Builder
		if _, err := (Program{}).parseKnee(strings.Fields(args), &help); err != errHelp || !strings.HasPrefix(help.String(), "usage: loadtest knee ") || !strings.Contains(help.String(), "\n  -repeats number ") {
			t.Errorf("knee %s: %v, %s", args, err, &help)
		}
	}
}
