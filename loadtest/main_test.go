package main_test

import (
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/record"
)

// program is this program, built once for all tests.
var program string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "loadtest")
	if err != nil {
		panic(err)
	}
	program = filepath.Join(folder, "loadtest")
	build := exec.Command("go", "build", "-o", program, ".")
	build.Stderr = os.Stderr
	code := 1
	if build.Run() == nil {
		code = m.Run()
	}
	os.RemoveAll(folder)
	os.Exit(code)
}

// start starts the program; its output is in the builder once it has ended.
func start(t testing.TB, args ...string) (*exec.Cmd, *strings.Builder) {
	t.Helper()
	c := exec.CommandContext(t.Context(), program, args...)
	var out strings.Builder
	c.Stdout, c.Stderr = &out, &out
	c.Dir = t.TempDir()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, &out
}

func exitCode(t testing.TB, err error) int {
	t.Helper()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	if exit == nil {
		return 0
	}
	return exit.ExitCode()
}

func TestRunAgainstTheChatServer(t *testing.T) {
	c, out := start(t, "-clients", "200", "-messages", "5", "-rate", "10", "-slo", "p99<30s,lost<1", "-out", "run", "-json", "figures.json")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	for _, want := range []string{"200 clients of 1 server process", "All delivered: 1,000 messages to 200 clients"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	for _, name := range []string{"run/summary.json", "figures.json"} {
		text, err := os.ReadFile(filepath.Join(c.Dir, name))
		if err != nil || !json.Valid(text) {
			t.Errorf("%s: %v, want JSON", name, err)
		}
	}
	folder := filepath.Join(c.Dir, "run")
	checkRecords(t, filepath.Join(folder, "records.jsonl"))
	checkReports(t, folder)
}

// checkReports fails unless a run has its reports, and those made from its
// records are the same.
func checkReports(t *testing.T, folder string) {
	t.Helper()
	names := []string{"report.html", "report.txt", "summary.json", "timeline.csv", "latency.hlog"}
	read := func() (texts []string) {
		for _, name := range names {
			text, err := os.ReadFile(filepath.Join(folder, name))
			if err != nil || len(text) == 0 {
				t.Fatalf("%s: %d bytes, %v, want a report", name, len(text), err)
			}
			texts = append(texts, string(text))
		}
		return texts
	}
	before := read()
	if out, err := exec.Command(program, "report", folder).CombinedOutput(); err != nil {
		t.Fatalf("loadtest report: %v\n%s", err, out)
	}
	for i, after := range read() {
		was, is := strings.Split(before[i], "\n"), strings.Split(after, "\n")
		for n := range min(len(was), len(is)) {
			if was[n] != is[n] {
				t.Errorf("%s, line %d: was %q, is %q when made from the records", names[i], n+1, was[n], is[n])
				break
			}
		}
		if len(was) != len(is) {
			t.Errorf("%s has %d lines, %d when made from the records", names[i], len(was), len(is))
		}
	}
}

// checkRecords fails unless the records measure what only children can tell.
func checkRecords(t *testing.T, path string) {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	memory := 0
	var end *record.End
	err = record.Read(file, func(r record.Record) error {
		if m := r.Memory; m != nil && m.ServerRSS > 0 && m.ClientRSS > 0 && m.KernelBytes > 0 {
			memory++
		}
		if r.Note != nil && r.Note.Level != "info" {
			t.Errorf("note %+v, want none", *r.Note)
		}
		end = r.End
		return nil
	})
	if err != nil || end == nil || memory != 3 {
		t.Fatalf("records: error %v, end %v, %d memory bills, want three and an end", err, end, memory)
	}
	if end.ServerProcs != 1 || end.ClientProcs != 1 || len(end.Errors) != 0 {
		t.Errorf("%d server and %d client processes, errors %v, want 1, 1 and none", end.ServerProcs, end.ClientProcs, end.Errors)
	}
}

func TestExitCodes(t *testing.T) {
	for _, test := range []struct {
		name string
		args string
		code int
		want string // a part of the output
	}{
		{"help", "-help", 0, "go run ./loadtest -clients 100000"},
		{"help of one scenario", "storm -help", 0, "-how drain"},
		{"help as a word", "help", 0, "go run ./loadtest -clients 100000"},
		{"nothing asked for", "-messages 0", 2, "leave it out for the default"},
		{"flag of another scenario", "echo -how kill -for 100ms -clients 10 -json x", 2, "-how has no effect in echo, only in storm: leave it out"},
		{"no rate", "-rate NaN", 2, "-rate is NaN: want a number"},
		{"two servers", "-server x -url ws://127.0.0.1:1", 2, "-server and -url"},
		{"raw Roost", "-protocol raw", 2, "Roost has channels"},
		{"a process of nothing", "-server-pid 1", 2, "for the server of -url"},
		{"no process", "-server-pid 99999999 -url ws://127.0.0.1:1", 2, "no such process"},
		{"figures cannot be saved", "-clients 10 -json /dev/null/x", 1, "not a directory"},
		{"unknown flag", "-wrong", 2, "-wrong"},
		{"unknown scenario", "wrong", 2, `no scenario "wrong"`},
		{"no number", "-clients 1k", 2, "parse error: want a number such as 1000"},
		{"no time", "echo -for 5", 2, "parse error: want a time such as 500ms"},
		{"senseless", "-size 3", 2, "at least 100"},
		{"threshold unknown", "-slo p42<1ms", 2, "unknown name"},
		{"threshold without unit", "-slo p99<1", 2, "want a limit"},
		{"too many", "-clients 1000000000", 1, "too many clients"},
		{"nobody there", "-clients 10 -url ws://127.0.0.1:1 -json x", 1, "connection refused: is the server running"},
		{"threshold missed", "-clients 10 -messages 1 -slo p50<1ns -json x", 99, "MISS"},
		{"too long", "-clients 10 -messages 100 -timeout 1s -json x", 1, "not finished within -timeout 1s"},
		{"cannot be saved", "-clients 10 -out /dev/null/x", 1, "not a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			c, out := start(t, strings.Fields(test.args)...)
			if code := exitCode(t, c.Wait()); code != test.code || !strings.Contains(out.String(), test.want) {
				t.Errorf("loadtest %s: exit code %d, want %d with %q:\n%s", test.args, code, test.code, test.want, out)
			}
		})
	}
}

func TestOldRunStays(t *testing.T) {
	c, out := start(t, "-clients", "10", "-messages", "1", "-out", "run")
	if code := exitCode(t, c.Wait()); code != 0 {
		t.Fatalf("exit code %d, want 0:\n%s", code, out)
	}
	again := exec.Command(program, "-clients", "10", "-messages", "1", "-out", "run")
	again.Dir = c.Dir
	text, err := again.CombinedOutput()
	if code := exitCode(t, err); code != 2 || !strings.HasPrefix(string(text), "loadtest: -out run has a run already") {
		t.Errorf("exit code %d, want 2 and nothing begun:\n%s", code, text)
	}
}

func TestInterrupt(t *testing.T) {
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGHUP} {
		t.Run(signal.String(), func(t *testing.T) { testInterrupt(t, signal) })
	}
}

func testInterrupt(t *testing.T, signal syscall.Signal) {
	c, out := start(t, "-clients", "50", "-messages", "1000", "-out", "run")
	records := filepath.Join(c.Dir, "run", "records.jsonl")
	waitFor(t, "the run to begin", func() bool { _, err := os.Stat(records); return err == nil && len(children(c)) == 2 })
	family := children(c)
	if err := c.Process.Signal(signal); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 130 || !strings.Contains(out.String(), "interrupted") {
		t.Errorf("exit code %d, want 130 and a report:\n%s", code, out)
	}
	for _, pid := range family {
		if alive(pid) {
			t.Errorf("child %s is left behind", pid)
		}
	}
}

func TestChildrenDieWithTheirParent(t *testing.T) {
	c, _ := start(t, "-clients", "50", "-messages", "1000", "-json", "x")
	waitFor(t, "the children", func() bool { return len(children(c)) == 2 })
	family := children(c)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait() // it was killed
	waitFor(t, "the children to die", func() bool { return !alive(family[0]) && !alive(family[1]) })
}

func TestServerDies(t *testing.T) {
	c, out := start(t, "-clients", "50", "-messages", "1000", "-json", "x")
	server := 0
	waitFor(t, "the server", func() bool {
		for _, pid := range children(c) {
			command, _ := os.ReadFile("/proc/" + pid + "/cmdline")
			if strings.Contains(string(command), "internal-server") {
				server, _ = strconv.Atoi(pid)
			}
		}
		return server != 0
	})
	if err := syscall.Kill(server, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if code := exitCode(t, c.Wait()); code != 1 || !strings.Contains(out.String(), "server process 0") {
		t.Errorf("exit code %d, want 1 and who died:\n%s", code, out)
	}
}

// children are the pids of a process's children.
func children(c *exec.Cmd) (pids []string) {
	threads, _ := filepath.Glob("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/*/children")
	for _, path := range threads {
		list, _ := os.ReadFile(path)
		pids = append(pids, strings.Fields(string(list))...)
	}
	return pids
}

// alive is false for a zombie, too.
func alive(pid string) bool {
	text, err := os.ReadFile("/proc/" + pid + "/stat")
	return err == nil && !strings.Contains(string(text), ") Z ")
}

func waitFor(t *testing.T, what string, is func() bool) {
	t.Helper()
	clock := time.NewTicker(10 * time.Millisecond)
	defer clock.Stop()
	for limit := time.After(30 * time.Second); !is(); {
		select {
		case <-clock.C:
		case <-limit:
			t.Fatalf("waited too long for %s", what)
		}
	}
}

// No line of the help of a command, or of what it lists, is longer than a terminal
// is wide.
func TestHelpOfCommands(t *testing.T) {
	t.Parallel()
	for _, command := range []string{
		"list", "check -help", "knee -help", "compare -help", "compare-servers -help", "report -help", "agent -help",
		"doctor -help", "tune -help", "tune -role load -help",
	} {
		c, out := start(t, strings.Fields(command)...)
		if exitCode(t, c.Wait()); out.Len() == 0 {
			t.Errorf("loadtest %s says nothing", command)
		}
		for line := range strings.Lines(out.String()) {
			if n := len([]rune(strings.TrimSuffix(line, "\n"))); n > 100 {
				t.Errorf("loadtest %s: %d columns: %s", command, n, line)
			}
		}
	}
}
