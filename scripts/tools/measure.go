package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/proc"
)

// Bounds of a run.
const (
	startup   = 3 * time.Minute  // until all have joined: k6 makes its virtual users first
	listens   = 90 * time.Second // from then on until the tool ends
	look      = 10 * time.Millisecond
	leastFree = 2 << 30 // bytes of memory that a tool has to leave
)

// A figure is the result of one run.
type figure struct {
	Tool    string  `json:"tool"`
	Clients int     `json:"clients"`
	Round   int     `json:"round"`
	Joins   float64 `json:"joins_per_second"` // from the first to the last, as the server saw it
	RSS     int64   `json:"rss"`              // the most of the tool's processes together, bytes
	CPU     float64 `json:"cpu_seconds"`      // of all of them, user and system
	Account account `json:"account"`
	Failure string  `json:"failure,omitempty"`
}

// measure makes one run against a server of its own.
func (t tool) measure(ctx context.Context, o options, clients, round int) (f figure) {
	f = figure{Tool: t.name, Clients: clients, Round: round}
	folder, err := os.MkdirTemp("", "tools")
	if err == nil {
		defer os.RemoveAll(folder)
		err = t.run(ctx, job{options: o, clients: clients, folder: folder}, &f)
	}
	if err != nil {
		f.Failure = err.Error()
	}
	return f
}

func (t tool) run(ctx context.Context, j job, f *figure) error {
	admin, err := freePort()
	if err != nil {
		return err
	}
	runtime.LockOSThread() // the kernel ties children to it
	defer runtime.UnlockOSThread()
	server, err := proc.StartServer(ctx, 0, []string{j.server, "-addr", "127.0.0.1:0", "-admin", admin}, 0)
	if err != nil {
		return err
	}
	defer server.End(proc.Patience)
	j.url = "ws://" + server.Addr

	command, env, err := t.command(j)
	if err != nil {
		return err
	}
	if t.erlang {
		mapper, end, err := startMapper(ctx)
		if err != nil {
			return err
		}
		defer end()
		env = append(env, mapper)
	}
	p, err := startTool(ctx, command, env, j.folder)
	if err != nil {
		return err
	}
	defer p.end()
	if f.Joins, err = joins(ctx, "http://"+admin+"/metrics", j.clients, p); err != nil {
		return err
	}
	if !t.writes {
		if err := write(ctx, j); err != nil {
			return err
		}
	}
	if err := p.wait(ctx, listens); err != nil {
		return err
	}
	f.RSS, f.CPU = p.most, (p.cmd.ProcessState.UserTime() + p.cmd.ProcessState.SystemTime()).Seconds()
	f.Account, err = t.account(p.stdout.Bytes(), j)
	return err
}

// write has a client of ours say what is said.
func write(ctx context.Context, j job) error {
	args := j.chat(1)
	said, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("the client that writes: %w\n%s", err, said)
	}
	return nil
}

var joinsTotal = regexp.MustCompile(`(?m)^roost_joins_total\{.*result="ok"\} (\S+)$`)

// joins waits until all have joined and returns how many did so a second, as the
// server tells.
func joins(ctx context.Context, metrics string, clients int, p *process) (float64, error) {
	var first time.Time // that one was seen to have joined, as good as
	until := time.Now().Add(startup)
	for {
		n, err := joined(metrics)
		now := time.Now()
		switch {
		case err != nil:
			return 0, err
		case first.IsZero() && n > 0:
			first = now.Add(-look / 2)
		}
		if n >= float64(clients) {
			return n / now.Sub(first).Seconds(), nil
		}
		switch {
		case now.After(until):
			return 0, fmt.Errorf("%.0f of %d clients joined within %v", n, clients, startup)
		case ctx.Err() != nil:
			return 0, ctx.Err()
		}
		select {
		case <-p.exited:
			return 0, fmt.Errorf("it ended when %.0f of %d clients had joined%s", n, clients, p.words())
		case <-time.After(look):
		}
	}
}

// joined asks the server.
func joined(metrics string) (n float64, err error) {
	answer, err := http.Get(metrics)
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	for _, line := range joinsTotal.FindAllSubmatch(text, -1) {
		one, _ := strconv.ParseFloat(string(line[1]), 64) // Prometheus's format has numbers
		n += one
	}
	return n, err
}

// A process is a tool under way, with the processes that it starts.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	exited         chan struct{} // closed at its end, when the other fields may be read
	err            error
	most           int64 // bytes of memory
	greedy         bool  // it took what others need
}

// startTool starts a tool and watches its memory.
func startTool(ctx context.Context, command, env []string, folder string) (*process, error) {
	p := &process{cmd: exec.CommandContext(ctx, command[0], command[1:]...), exited: make(chan struct{})}
	p.cmd.Env, p.cmd.Dir = append(os.Environ(), env...), folder
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	p.cmd.Cancel = p.kill
	p.cmd.WaitDelay = 5 * time.Second // a daemon of Erlang has its output
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() { // ends with the process
		p.err = p.cmd.Wait()
		if errors.Is(p.err, exec.ErrWaitDelay) {
			p.err = nil
		}
		close(ended)
	}()
	go func() { // ends with the process
		defer close(p.exited)
		clock := time.NewTicker(100 * time.Millisecond)
		defer clock.Stop()
		for {
			select {
			case <-clock.C:
				p.most = max(p.most, family(p.cmd.Process.Pid))
				if available() < leastFree && !p.greedy {
					p.greedy = true
					_ = p.kill() // wait says so
				}
			case <-ended:
				return
			}
		}
	}()
	return p, nil
}

// kill ends the tool and what it has started.
func (p *process) kill() error { return syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL) }

// wait waits for the tool's own end.
func (p *process) wait(ctx context.Context, patience time.Duration) error {
	select {
	case <-p.exited:
	case <-time.After(patience):
		return fmt.Errorf("it did not end within %v%s", patience, p.words())
	case <-ctx.Done():
		return ctx.Err()
	}
	switch {
	case p.greedy:
		return fmt.Errorf("stopped at %d MB: the host had less than %d MB left", p.most>>20, int64(leastFree)>>20)
	case p.err != nil:
		return fmt.Errorf("%w%s", p.err, p.words())
	}
	return nil
}

// end ends what is left.
func (p *process) end() {
	_ = p.kill() // it may have ended
	<-p.exited
}

// startMapper starts Erlang's port mapper for one tool: the one that an Erlang machine
// would start is a daemon, and on a busy host may listen too late for it.
func startMapper(ctx context.Context) (env string, end func(), err error) {
	const port, addr = "24369", "127.0.0.1:24369" // below those that connections have, so that it is free
	c := exec.Command("epmd", "-address", "127.0.0.1", "-port", port)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := c.Start(); err != nil {
		return "", nil, err
	}
	end = func() {
		_ = c.Process.Kill() // it may have ended
		_ = c.Wait()         // the signal is its error
	}
	until := time.Now().Add(proc.Patience)
	for {
		conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
		switch {
		case err == nil:
			return "ERL_EPMD_PORT=" + port, end, conn.Close()
		case time.Now().After(until) || ctx.Err() != nil:
			end()
			return "", nil, fmt.Errorf("epmd does not listen: %w", err)
		}
		time.Sleep(look)
	}
}

// words are the last of what it said.
func (p *process) words() string {
	select {
	case <-p.exited:
	default:
		return ""
	}
	text := strings.TrimSpace(p.stdout.String() + "\n" + p.stderr.String())
	if p.greedy {
		text = "the host had too little memory left"
	}
	return ": " + text[max(0, len(text)-400):]
}

// family is the memory of a process and all that it has started.
func family(pid int) int64 {
	sum := proc.Measure(pid).RSS
	tasks, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid)) // the pattern is one
	for _, task := range tasks {
		text, _ := os.ReadFile(task) // a thread may have ended
		for field := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(field); err == nil {
				sum += family(child)
			}
		}
	}
	return sum
}

// available is the host's memory that programs can have, all if it does not tell.
func available() int64 {
	text, _ := os.ReadFile("/proc/meminfo") // then it has no such line
	_, rest, found := strings.Cut(string(text), "MemAvailable:")
	fields := strings.Fields(rest)
	if !found || len(fields) == 0 {
		return 1 << 62
	}
	kb, _ := strconv.ParseInt(fields[0], 10, 64) // the kernel writes a number
	return kb << 10
}

// freePort returns an address of loopback that no one listens at now.
func freePort() (string, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return ln.Addr().String(), ln.Close()
}
