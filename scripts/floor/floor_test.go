package main_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// patience is how long a test waits for what must happen.
const patience = 30 * time.Second

// The programs of this folder, built once for all tests: the one in c/, and the
// one that prints the table.
var floor, table string

// Netpoll's loops live as long as the process; see package poller.
func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "floor")
	if err != nil {
		panic(err)
	}
	floor, table = filepath.Join(folder, "floor"), filepath.Join(folder, "table")
	for _, build := range []*exec.Cmd{
		exec.Command("./build", floor),
		exec.Command("go", "build", "-o", table, "."),
	} {
		if out, err := build.CombinedOutput(); err != nil || len(out) > 0 {
			fmt.Fprintf(os.Stderr, "%s: %v, want a build without a warning:\n%s", build, err, out)
			os.RemoveAll(folder)
			os.Exit(1)
		}
	}
	goleak.VerifyTestMain(m,
		goleak.IgnoreCurrent(),
		goleak.IgnoreAnyFunction("github.com/cloudwego/netpoll.(*defaultPoll).Wait"),
		goleak.Cleanup(func(code int) {
			os.RemoveAll(folder)
			os.Exit(code)
		}),
	)
}

// TestSources reads what is built, too, so that go test does not take a result
// for older sources from its cache.
func TestSources(t *testing.T) {
	for _, pattern := range []string{"build", "c/*.h", "c/*.c"} {
		names, err := filepath.Glob(pattern)
		if err != nil || len(names) == 0 {
			t.Errorf("no files %s: %v", pattern, err)
		}
		for _, name := range names {
			if _, err := os.ReadFile(name); err != nil {
				t.Error(err)
			}
		}
	}
}

func TestPairsDeliverAll(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), floor, "pairs", "-n", "2000", "-S", "1", "-C", "1", "-r", "3", "-json").Output()
	if err != nil {
		t.Fatalf("floor pairs: %v", err)
	}
	var got struct {
		Connections, Delivered int
		Rounds                 []struct {
			First float64 `json:"first_ms"`
			Last  float64 `json:"last_ms"`
			CPU   float64 `json:"server_cpu_us"`
		}
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("floor pairs -json prints %q: %v", out, err)
	}
	if got.Connections != 2000 || got.Delivered != 6000 || len(got.Rounds) != 3 {
		t.Errorf("floor pairs -json prints %s, want 6000 delivered to 2000 in 3 rounds", out)
	}
	for i, r := range got.Rounds {
		if r.CPU <= 0 || r.First > r.Last {
			t.Errorf("round %d: %+v, want CPU time, and the first before the last", i+1, r)
		}
	}
}

// Connections that do not divide evenly among the processes.
func TestPairsDivideUnevenly(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), floor, "pairs", "-n", "103", "-S", "5", "-C", "3", "-r", "2").CombinedOutput()
	if want := "delivered 206 of 206\n"; err != nil || !strings.HasSuffix(string(out), want) {
		t.Errorf("floor pairs: %v, want the last line %q:\n%s", err, want, out)
	}
}

func TestPairsNameTheLimit(t *testing.T) {
	for _, test := range []struct{ name, command, want string }{
		{"files", "ulimit -n 500; exec $0 pairs -n 2000 -S 1", "RLIMIT_NOFILE allows a process 500 files (ulimit -n); take 5 or more"},
		{"send buffer", "exec $0 pairs -n 10 -m 50000000", "a floor has no queue"},
		{"usage", "exec $0 pairs -n many", "must be a whole number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			out, err := exec.CommandContext(t.Context(), "bash", "-c", test.command, floor).CombinedOutput()
			if err == nil || !strings.Contains(string(out), test.want) {
				t.Errorf("%s: %v, want an error that says %q:\n%s", test.command, err, test.want, out)
			}
		})
	}
}

// The children hold standard output open, so its end is theirs.
func TestPairsDieWithTheirParent(t *testing.T) {
	c := exec.CommandContext(t.Context(), floor, "pairs", "-n", "1000", "-r", "10000000")
	read, write, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer read.Close()
	c.Stdout = write
	err = c.Start()
	write.Close()
	if err != nil {
		t.Fatal(err)
	}
	children := fmt.Sprintf("/proc/%d/task/%d/children", c.Process.Pid, c.Process.Pid)
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		list, err := os.ReadFile(children)
		if err != nil {
			t.Skipf("this kernel does not list children: %v", err)
		}
		if len(strings.Fields(string(list))) >= 2 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("floor pairs has started no children")
		}
	}
	_ = c.Process.Signal(syscall.SIGKILL)
	_ = c.Wait() // it was killed
	if err := read.SetReadDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	if n, err := read.Read(make([]byte, 1)); n != 0 || os.IsTimeout(err) {
		t.Errorf("Read() = %d, %v after the parent was killed, want the end: a child lives on", n, err)
	}
}
