package proc

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// Who would die of a signal is not sent it.
func TestCatches(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         bool
	}{
		{"no handler", "echo; read x", false},
		{"another handler", "trap : USR2; echo; read x", false},
		{"handler", "trap : USR1; echo; read x", true},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := exec.Command("bash", "-c", test.script)
			stdin, err1 := c.StdinPipe()
			stdout, err2 := c.StdoutPipe()
			if err1 != nil || err2 != nil {
				t.Fatal(err1, err2)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil { // it is ready
				t.Fatal(err)
			}
			if got := catches(c.Process.Pid, syscall.SIGUSR1); got != test.want {
				t.Errorf("catches(%q) = %v, want %v", test.script, got, test.want)
			}
			stdin.Close()
			_ = c.Wait() // read fails at the end of its input
			if !catches(c.Process.Pid, syscall.SIGUSR1) {
				t.Error("catches is false for a process that has ended")
			}
		})
	}
}

// The bit of a signal is one less than its number.
func TestCaught(t *testing.T) {
	t.Parallel()
	const head = "Name:\tSigCgt:\nSigQ:\t0/96\nSigBlk:\tffffffffffffffff\nSigIgn:\tffffffffffffffff\n"
	for _, tt := range []struct {
		status string
		signal syscall.Signal
		want   bool
	}{
		{head + "SigCgt:\t0000000000000200\nCapInh:\t0\n", syscall.SIGUSR1, true}, // of 10
		{head + "SigCgt:\t0000000000000400\nCapInh:\t0\n", syscall.SIGUSR1, false},
		{head + "SigCgt:\t0000000000000400\nCapInh:\t0\n", syscall.SIGUSR2, false}, // of 11
		{head + "SigCgt:\t0000000000000800\nCapInh:\t0\n", syscall.SIGUSR2, true},
		{head + "SigCgt:\t0000000000000001\nCapInh:\t0\n", syscall.SIGHUP, true},
		{head + "SigCgt:\tfffffffe7ffbfeff\n", syscall.SIGUSR1, true},
		{head + "SigCgt:\tfffffffe7ffbfcff\n", syscall.SIGUSR1, false},
		{head + "SigCgt:\tnonsense\n", syscall.SIGUSR1, false},
		{head, syscall.SIGUSR1, false},
		{"", syscall.SIGUSR1, false},
	} {
		if got := caught(tt.status, tt.signal); got != tt.want {
			t.Errorf("%v is caught by %q: %v, want %v", tt.signal, tt.status[max(0, len(tt.status)-40):], got, tt.want)
		}
	}
}

// Whatever a process is called, its CPU time is that of fields 14 and 15.
func TestCPUOfAProcess(t *testing.T) {
	t.Parallel()
	const after = " S 1 7 7 0 -1 4194304 900 0 0 0 250 50 9 9 20 0 12 0 100 1000000 1000 184\n"
	for name, tt := range map[string]struct {
		stat string
		want int64
	}{
		"a plain name":       {"7 (server)" + after, 3_000_000_000},
		"a name with blanks": {"7 (my own server)" + after, 3_000_000_000},
		"a name of brackets": {"7 (:) S 1 2 (x)) )" + after, 3_000_000_000},
		"a short line":       {"7 (server) S 1 7 7 0 -1 4194304 900 0 0 0 250", 0},
		"just long enough":   {"7 (server) S 1 7 7 0 -1 4194304 900 0 0 0 250 50", 3_000_000_000},
		"no name":            {"nonsense", 0},
		"no number":          {"7 (server) S 1 7 7 0 -1 4194304 900 0 0 0 x y", 0},
		"nothing":            {"", 0},
	} {
		if got := cpuNs(fixture(t, tt.stat)); got != tt.want {
			t.Errorf("%s: %d ns, want %d", name, got, tt.want)
		}
	}
	if got := cpuNs("/no/such/file"); got != 0 {
		t.Errorf("a process that has ended took %d ns, want 0", got)
	}
}

// Resident memory is the second number of statm, in pages.
func TestMemoryOfAProcess(t *testing.T) {
	t.Parallel()
	page := int64(os.Getpagesize())
	for statm, want := range map[string]int64{"5000 1234 300 10 0 400 0\n": 1234 * page, "5000 1": page, "5000": 0, "5000 x 3": 0, "": 0} {
		if got := residentBytes(fixture(t, statm)); got != want {
			t.Errorf("statm %q: %d bytes, want %d", statm, got, want)
		}
	}
	if got := residentBytes("/no/such/file"); got != 0 {
		t.Errorf("a process that has ended holds %d bytes, want 0", got)
	}
}

// fixture is a file with that text.
func fixture(t *testing.T, text string) (path string) {
	t.Helper()
	return filepath.Join(tree(t, map[string]string{"file": text}), "file")
}
