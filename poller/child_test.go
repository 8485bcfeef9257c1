package poller_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

// childRole is the environment variable that makes this test binary play a role
// instead of running tests: what is measured or limited for a whole process
// needs one of its own.
const childRole = "POLLER_TEST_CHILD"

func runChild(role string) {
	name, arg, _ := strings.Cut(role, " ")
	run := map[string]func(string) error{"greeter": greeter, "pauper": pauper, "server": memoryServer, "clients": memoryClients, "trespasser": trespasser}[name]
	if err := run(arg); err != nil {
		fmt.Fprintln(os.Stderr, role, err)
		os.Exit(1)
	}
}

type child struct {
	cmd *exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
}

// spawn starts a child. It ends with the test, or else when its input ends.
func spawn(t testing.TB, role string) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0])}
	c.cmd.Env = append(os.Environ(), childRole+"="+role)
	c.cmd.Stderr = os.Stderr
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	c.in, c.out = in, bufio.NewReader(out)
	t.Cleanup(func() { c.end() })
	return c
}

// line is the next one of the child's output.
func (c *child) line(t testing.TB) string {
	t.Helper()
	s, err := c.out.ReadString('\n')
	if err != nil {
		t.Fatalf("child says %q, then %v", s, err)
	}
	return strings.TrimSpace(s)
}

// end ends the child and returns the rest of its output.
func (c *child) end() string {
	c.in.Close()
	b, _ := io.ReadAll(c.out)
	c.cmd.Wait()
	return string(b)
}

// cpuTime is the child's user and system time (proc_pid_stat(5): fields 14
// and 15, in hundredths of a second).
func (c *child) cpuTime(t testing.TB) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	_, after, _ := strings.Cut(string(b), ") ") // the name, field 2, may hold spaces
	fields := strings.Fields(after)
	var sum time.Duration
	for _, f := range fields[11:13] {
		n, err := strconv.Atoi(f)
		if err != nil {
			t.Fatal(err)
		}
		sum += time.Duration(n) * 10 * time.Millisecond
	}
	return sum
}
