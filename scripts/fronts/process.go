package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// patience is how long a process may take to start or to end.
const patience = 20 * time.Second

type usage = order.Usage

// A process is Roost, or what is in front of it.
type process struct {
	cmd   *exec.Cmd
	lines *bufio.Reader
	said  bytes.Buffer
}

// start starts a command, which ends with ctx.
func start(ctx context.Context, command ...string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...)}
	p.cmd.Cancel = func() error { return p.cmd.Process.Signal(syscall.SIGTERM) }
	p.cmd.WaitDelay = patience
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	p.cmd.Stderr = &p.said
	stdout, err := p.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	p.lines = bufio.NewReader(stdout)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

func (p *process) pid() int { return p.cmd.Process.Pid }

// listens is the address that Roost says.
func (p *process) listens() (string, error) {
	for {
		line, err := p.lines.ReadString('\n')
		if addr, found := strings.CutPrefix(strings.TrimSpace(line), "listening on "); found {
			go func() { _, _ = io.Copy(io.Discard, p.lines) }() // ends with the process
			return addr, nil
		}
		if err != nil {
			return "", fmt.Errorf("%s does not listen: %w", p.cmd.Path, err)
		}
	}
}

// answers waits until something listens at addr.
func (p *process) answers(ctx context.Context, addr string) error {
	go func() { _, _ = io.Copy(io.Discard, p.lines) }() // ends with the process
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		if err == nil {
			return conn.Close()
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s does not listen: %w", p.cmd.Path, err)
		}
	}
}

// end ends the process, if there is one.
func (p *process) end() {
	if p == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	_ = p.cmd.Wait()                          // the signal is its error
}

// children are the processes that one has started.
func children(pid int) (pids []int) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil
	}
	for field := range strings.FieldsSeq(string(text)) {
		if child, err := strconv.Atoi(field); err == nil {
			pids = append(pids, child)
		}
	}
	return pids
}

// freePort returns a port that no one listens on now.
func freePort() (int, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer ln.Close()
	return ln.Addr().(*net.TCPAddr).Port, nil
}
