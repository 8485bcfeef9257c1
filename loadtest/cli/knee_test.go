package cli

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
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
		"":                            {1, 0, false},
		"echo":                        {100, 0, false},
		"-most 0.5":                   {0.5, 0.5, false},
		"echo -most 5000":             {100, 5000, false},
		"-vary clients":               {100, 0, true},
		"-vary clients -most 30":      {30, 30, true},
		"-from 7 -most 30":            {7, 30, false},
		"echo -vary clients -from 20": {20, 0, true},
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
