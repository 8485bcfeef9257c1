package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// child makes this test binary the program: it is its own clients.
const child = "ROOST_COST_CHILD"

// programs are what scripts/cost/run builds.
var programs struct{ server, loadtest string }

func TestMain(m *testing.M) {
	if os.Getenv(child) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Setenv(child, "yes")
	os.Exit(testMain(m))
}

func testMain(m *testing.M) int {
	folder, err := os.MkdirTemp("", "cost")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(folder)
	build := exec.Command("go", "build", "-o", folder, "./serve", "../../loadtest")
	if out, err := build.CombinedOutput(); err != nil {
		panic(string(out))
	}
	programs.server, programs.loadtest = filepath.Join(folder, "serve"), filepath.Join(folder, "loadtest")
	return m.Run()
}

// with adds the programs and few clients to flags.
func with(flags ...string) []string {
	return append([]string{"-server", programs.server, "-loadtest", programs.loadtest, "-rounds", "1", "-clients", "40", "-sessions", "20",
		"-broadcasts", "2", "-idle", "100ms", "-later", "200ms", "-echo", "1s"}, flags...)
}

// needed are the figures that a run of any size has: a short one of loadtest tells
// no processor time.
var needed = []string{
	"idle, no clients % of a core", "idle, no clients switches/s", "memory after joins, at once B/client", "idle, joined clients % of a core",
	"idle, joined clients switches/s", "memory after joins, later B/client", "memory, connected B/client", "memory, joined B/client",
	"broadcast µs CPU/delivery", "broadcast ms to the last", "connect, upgrade, join joins/s", "broadcast, by loadtest ms to the last",
	"echo replies/s", "long poll, waiting B/session", "long poll, broadcast µs CPU/delivery", "long poll, broadcast ms to the last",
	"ping, long polls wait ms p50", "ping, long polls wait ms p99", "ping, long polls wait ms max", "ping, long polls get broadcasts ms p50",
	"ping, long polls get broadcasts ms p99", "ping, long polls get broadcasts ms max", "TLS, clients that fit clients",
	"TLS, handshakes connects/s", "TLS, handshakes µs CPU/connect", "TLS, joined B/client", "TLS, joined files/client",
	"TLS, joined goroutines/client", "TLS, joined threads", "TLS, broadcast µs CPU/delivery", "TLS, broadcast ms to the last",
}

// limits are figures that do not depend on the machine's speed: bounds far from
// what they are, to see that what is measured is the server, and all of it.
var limits = map[string][2]float64{
	"idle, no clients % of a core":          {0, 100},
	"broadcast µs CPU/delivery":             {.5, 5_000},
	"long poll, broadcast µs CPU/delivery":  {2, 20_000},
	"TLS, broadcast µs CPU/delivery":        {.5, 5_000},
	"TLS, handshakes µs CPU/connect":        {50, 100_000},
	"TLS, clients that fit clients":         {40, 40},
	"TLS, joined files/client":              {1, 1},
	"TLS, joined goroutines/client":         {-5, 5}, // few clients, and workers that have not gone yet
	"ping, long polls wait ms p50":          {.001, 10_000},
	"memory after joins, at once B/client":  {1, 1 << 20},
	"connect, upgrade, join joins/s":        {1, 1e6},
	"broadcast, by loadtest ms to the last": {.01, 10_000},
}

// The main job, with today's server as both: the table and the folder.
func TestRun(t *testing.T) {
	folder := t.TempDir()
	var out, progress bytes.Buffer
	if code := run(t.Context(), with("-before", programs.server, "-at-commit", "abc", "-commit", "def", "-out", folder), &out, &progress); code != 0 {
		t.Fatalf("exit code %d:\n%s%s", code, &progress, &out)
	}
	for _, want := range []string{"  abc", "now: def", "ratio", "40 clients, 20 long-poll sessions"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
	text, err := os.ReadFile(filepath.Join(folder, "cost.txt"))
	if err != nil || string(text) != out.String() {
		t.Errorf("cost.txt: error %v, want the table as it was printed", err)
	}
	figures, err := os.ReadFile(filepath.Join(folder, "cost.json"))
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(figures, &r); err != nil || r.Machine.Cores == 0 || r.Config.At != "abc" || len(r.Command) == 0 {
		t.Errorf("cost.json: error %v, %+v, want the machine, the command and the commit", err, r)
	}
	r.hold(t)
}

// hold fails if a figure is missing or cannot be.
func (r *report) hold(t *testing.T) {
	t.Helper()
	found := make(map[string]bool)
	for _, f := range r.Figures {
		name := f.Name + " " + f.Unit
		found[name] = true
		if slices.Contains(needed, name) && (len(f.Now) != 1 || len(f.Before) != 1) {
			t.Errorf("%s: %v and %v, want one of each side", name, f.Before, f.Now)
		}
		for _, v := range append(f.Now, f.Before...) {
			if limit, ok := limits[name]; ok && (v < limit[0] || v > limit[1]) {
				t.Errorf("%s is %v, want %v to %v", name, v, limit[0], limit[1])
			}
		}
	}
	for _, name := range needed {
		if !found[name] {
			t.Errorf("%s is missing", name)
		}
	}
}

// What fails is told, and the rest is measured.
func TestFailureIsTold(t *testing.T) {
	var out bytes.Buffer
	if code := run(t.Context(), with("-before", "/bin/false", "-only", "clients"), &out, io.Discard); code != broken {
		t.Errorf("exit code %d, want %d", code, broken)
	}
	for _, want := range []string{"FAILED: round 1 of 1, clients  before", "memory, joined"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table lacks %q:\n%s", want, &out)
		}
	}
}

// A client that the server ends is a failure, not a smaller figure.
func TestLostClientFails(t *testing.T) {
	trial := &trial{config: config{Broadcasts: 1}, program: programs.server, tell: func(string, string, float64) {}}
	s, c, end, err := trial.start(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer end()
	if err := trial.enter(s, c, 3, false); err != nil {
		t.Fatal(err)
	}
	s.stop()
	var mean float64
	if err := c.call("Broadcast", 1, &mean); err == nil {
		t.Errorf("broadcasts by a server that has ended take %v ms, want an error", mean)
	}
}

func TestTable(t *testing.T) {
	f := figure{Before: []float64{4, 1, 2}, Now: []float64{1, .5}}
	if got, want := []string{spread(f.Before), spread(f.Now), f.ratio(), spread(nil)}, []string{"2.00 (1.00 to 4.00)", "0.750 (0.500 to 1.00)", "0.38", "-"}; strings.Join(got, "|") != strings.Join(want, "|") {
		t.Errorf("spreads and ratio are %q, want %q", got, want)
	}
	if f.Before = []float64{0}; f.ratio() != "-" {
		t.Errorf("the ratio to nothing is %s, want -", f.ratio())
	}
}

// Sides take turns at being the first.
func TestTurns(t *testing.T) {
	c := config{Server: "a", Before: "b"}
	for round, want := range []string{"before", "now", "before"} {
		if got := c.sides(round)[0].name; got != want {
			t.Errorf("round %d begins with %s, want %s", round, got, want)
		}
	}
}

func TestArguments(t *testing.T) {
	for args, want := range map[string]int{
		"-help": 0, "-only nonsense": misused, "-rounds 0": misused, "-clients 3": misused, "-clients 20000": misused, "-sessions 0": misused,
		"-broadcasts 0": misused, "-idle 0s": misused, "-later 55s": misused, "-echo 1ms": misused, "rest": misused, "-x": misused, "-server=": misused,
	} {
		var out bytes.Buffer
		if code := run(t.Context(), with(strings.Fields(args)...), &out, &out); code != want || out.Len() == 0 {
			t.Errorf("%s: exit code %d, want %d and an explanation:\n%s", args, code, want, &out)
		}
	}
}

// Ctrl-C ends a run, whatever it is at, and the processes of it.
func TestInterrupt(t *testing.T) {
	for _, name := range []string{"idle", "echo"} {
		t.Run(name, func(t *testing.T) {
			ctx, stop := context.WithTimeout(t.Context(), 500*time.Millisecond)
			defer stop()
			var out bytes.Buffer
			if code := run(ctx, with("-only", name, "-idle", "50s", "-echo", "1m"), &out, io.Discard); code != interrupted || out.Len() != 0 {
				t.Errorf("exit code %d, want %d and no table:\n%s", code, interrupted, &out)
			}
		})
	}
}
