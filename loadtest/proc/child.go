package proc

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

// A Child is a process that we started. It ends when its standard input does;
// the kernel kills it should we die before.
type Child struct {
	Name   string // "server process 0", for errors
	Stdin  io.WriteCloser
	Exited chan struct{} // closed once it has ended

	cmd   *exec.Cmd
	said  *tail // the last of its standard error
	err   error // how it ended; after Exited
	cpuNs int64 // the most that was read of it
}

// Start starts a child with the given number of processors to run Go on, 0 for
// all. Its threads' parent is the calling thread, which must stay
// (runtime.LockOSThread). The caller reads all of stdout.
func Start(name string, command []string, procs int, stderr func(line string)) (c *Child, stdout io.ReadCloser, err error) {
	c = &Child{Name: name, cmd: exec.Command(command[0], command[1:]...), said: &tail{each: stderr}, Exited: make(chan struct{})}
	if procs > 0 {
		c.cmd.Env = append(os.Environ(), "GOMAXPROCS="+strconv.Itoa(procs))
	}
	c.cmd.SysProcAttr = &syscall.SysProcAttr{
		Pdeathsig: syscall.SIGKILL,
		Setpgid:   true, // Ctrl-C is for us; we tell the children
	}
	c.cmd.Stderr = c.said
	c.cmd.WaitDelay = time.Second // for what a grandchild may hold open
	if c.Stdin, err = c.cmd.StdinPipe(); err != nil {
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
	go func() { // End waits for it
		c.err = c.cmd.Wait()
		close(c.Exited)
	}()
	return c, read, nil
}

// Failure describes how the child ended, after Exited.
func (c *Child) Failure() error {
	err := c.err
	if err == nil {
		err = errors.New("it ended by itself")
	}
	return fmt.Errorf("%s (pid %d): %w%s", c.Name, c.cmd.Process.Pid, err, c.said)
}

// PID is the number of the child.
func (c *Child) PID() int { return c.cmd.Process.Pid }

// Runs reports whether it has not ended yet.
func (c *Child) Runs() bool {
	select {
	case <-c.Exited:
		return false
	default:
		return true
	}
}

// Usage returns the child's usage. Its CPU time still counts when it has ended.
func (c *Child) Usage() (u order.Usage) {
	if c.Runs() {
		u = Measure(c.PID())
	} else if s := c.cmd.ProcessState; s != nil { // the pid may be another's now
		u.CPUNs = int64(s.UserTime() + s.SystemTime())
	}
	c.cpuNs = max(c.cpuNs, u.CPUNs) // it may have ended just before it was read
	u.CPUNs = c.cpuNs
	return u
}

// End asks the child to go, and makes it go when it has not by then.
func (c *Child) End(patience time.Duration) {
	c.Stdin.Close()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-c.Exited:
	case <-timer.C:
		_ = c.cmd.Process.Kill() // it may have ended just now
		<-c.Exited
	}
}

// How much of a child's standard error is kept: lines, and bytes of one that does not
// end.
const (
	tailLines = 5
	tailBytes = 64 << 10
)

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
			t.part = t.part[max(0, len(t.part)-tailBytes):]
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
