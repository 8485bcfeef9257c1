package main_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// When several processes die at once, what the others measured is recorded.
func TestManyDeaths(t *testing.T) {
	for _, test := range []struct {
		role string
		kept int // of five
	}{{"internal-server", 0}, {"internal-clients", 1}} {
		t.Run(test.role, func(t *testing.T) {
			t.Parallel()
			const limit = "ulimit -n 270; exec " // 70 clients are the most of a process
			c := exec.CommandContext(t.Context(), "sh", "-c", limit+program+" -clients 330 -messages 600 -rate 10 -out run")
			c.Dir = t.TempDir()
			var out strings.Builder
			c.Stdout, c.Stderr = &out, &out
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			waitFor(t, "messages", func() bool {
				text, _ := os.ReadFile(filepath.Join(c.Dir, "run", "records.jsonl"))
				return strings.Contains(string(text), `{"broadcast":`)
			})
			kill := ofRole(c, test.role)
			if len(kill) != 5 {
				t.Fatalf("%d processes %s, want 5", len(kill), test.role)
			}
			for _, pid := range kill[test.kept:] {
				if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
					t.Fatal(err)
				}
			}
			if code := exitCode(t, c.Wait()); code != 1 {
				t.Errorf("exit code %d, want 1", code)
			}
			_, end := readRun(t, filepath.Join(c.Dir, "run"))
			h, err := hdrhistogram.Decode(end.Latency)
			if err != nil || end.Delivered == 0 || h.TotalCount() != end.Delivered || end.Delivered > end.Expected {
				t.Errorf("latencies: %v; delivered %d of %d, want as many latencies as delivered", err, end.Delivered, end.Expected)
			}
		})
	}
}

// ofRole are a process's children of a role.
func ofRole(c *exec.Cmd, role string) (pids []int) {
	for _, child := range children(c) {
		command, _ := os.ReadFile("/proc/" + child + "/cmdline")
		if pid, err := strconv.Atoi(child); err == nil && strings.Contains(string(command), role) {
			pids = append(pids, pid)
		}
	}
	return pids
}
