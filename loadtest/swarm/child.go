package swarm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// A child is a process that we started. It ends when its standard input does;
// the kernel kills it should we die before.
type child struct {
	name  string // "server process 0", for errors
	cmd   *exec.Cmd
	stdin io.WriteCloser
	said  *tail // the last of its standard error

	exited chan struct{} // closed once it has ended
	err    error         // how; after exited
	cpuNs  int64         // the most that was read of it; the coordinator's
}

// start starts a child with the given number of processors to run Go on, 0 for
// all. Its threads' parent is the calling thread, which must stay
// (runtime.LockOSThread). The caller reads all of stdout.
func start(name string, command []string, procs int, stderr func(line string)) (c *child, stdout io.ReadCloser, err error) {
	c = &child{name: name, cmd: exec.Command(command[0], command[1:]...), said: &tail{each: stderr}, exited: make(chan struct{})}
	if procs > 0 {
		c.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for us; we tell the children
	}
	c.cmd.Stderr = c.said
	c.cmd.WaitDelay = time.Second // for what a grandchild may hold open
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	read, write, err := os.Pipe() // StdoutPipe would be closed by Wait before all is read
	if err != nil {
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	c.cmd.Stdout = write
	err = c.cmd.Start()
	write.Close()
	if err != nil {
		read.Close()
		return nil, nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { // end waits for it
		c.err = c.cmd.Wait()
		close(c.exited)
	}()
	return c, read, nil
}

// failure describes how the child ended, after exited.
func (c *child) failure() error {
	err := c.err
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("%s (pid %d): %w%s", c.name, c.cmd.Process.Pid, err, c.said)
}

// runs reports whether it has not ended yet.
func (c *child) runs() bool {
	select {
	case <-c.exited:
		return false
	default:
		return true
	}
}

// usage is what the child takes. CPU time that it has taken stays taken when it
// has ended.
func (c *child) usage() (u order.Usage) {
	if c.runs() {
		u = measure([]int{c.pid()})
	} else if s := c.cmd.ProcessState; s != nil { // nobody knows whose the pid is now
		u.CPUNs = int64(s.UserTime() + s.SystemTime())
	}
	c.cpuNs = max(c.cpuNs, u.CPUNs) // it may have ended just before it was read
	u.CPUNs = c.cpuNs
	return u
}

// end asks the child to go, and makes it go when it has not by then.
func (c *child) end(patience time.Duration) {
	c.stdin.Close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.exited:
	case <-timer.C:
		_ = c.cmd.Process.Kill() // it may have ended just now
		<-c.exited
	}
}

// tailLines is how much of a child's standard error is kept.
const tailLines = 5

// A tail keeps the last lines written to it.
type tail struct {
	each func(line string) // called for every line; may be nil

	mu    sync.Mutex
	part  string
	lines []string
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.part += string(b)
	for {
		line, rest, found := strings.Cut(t.part, "\n")
		if !found {
			return len(b), nil
		}
		t.part = rest
		t.lines = append(t.lines, line)
		t.lines = t.lines[max(0, len(t.lines)-tailLines):]
		if t.each != nil {
			t.each(line)
		}
	}
}

// String is the lines, each on a line of its own after a colon.
func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	text := strings.TrimSpace(strings.Join(append(t.lines[:len(t.lines):len(t.lines)], t.part), "\n"))
	if text == "" {
		return ""
	}
	return ": its last words:\n" + text
}
