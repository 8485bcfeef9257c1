package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

const (
	// endTime is how long the server may take to end on SIGTERM.
	endTime = 10 * time.Second

	// maxRSS ends a server before it takes the host's memory, in MB.
	maxRSS = 4096

	// watchPace is how often the server's memory is read.
	watchPace = 20 * time.Millisecond
)

// A server is the process that is attacked.
type server struct {
	addr   string
	cmd    *exec.Cmd
	asks   io.WriteCloser // its standard input
	tells  *os.File       // our end of its standard output
	log    *os.File       // likewise of its standard error
	ended  chan struct{}
	stop   context.CancelFunc // of watch and of reading the log
	work   sync.WaitGroup
	mu     sync.Mutex // guards peak
	peak   int        // MB
	logged int64      // bytes of its log; read after end
}

// start starts a server. A deaf one has a log that no one reads.
func start(program string, deaf bool) (*server, error) {
	in, out, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer out.Close()
	s := &server{cmd: command(program, "serve"), log: in, ended: make(chan struct{})}
	s.cmd.Stderr = out
	stdout, err := s.cmd.StdoutPipe()
	if err == nil {
		s.tells = stdout.(*os.File) // as package os/exec has it
		s.asks, err = s.cmd.StdinPipe()
	}
	if err == nil {
		err = s.cmd.Start()
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("start the server: %w", err)
	}
	if _, err := fmt.Fscanln(s.tells, &s.addr); err != nil {
		_ = s.cmd.Process.Kill() // it says nothing: whether it still runs does not matter
		_ = s.cmd.Wait()
		in.Close()
		return nil, fmt.Errorf("start the server: it says no address: %w", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	s.stop = cancel
	go func() { // end waits for it
		_ = s.cmd.Wait() // how it ended is told by the attack's figures
		close(s.ended)
	}()
	s.work.Go(func() { s.watch(ctx) })
	if !deaf {
		s.work.Go(func() { s.logged, _ = io.Copy(io.Discard, in) }) // until the server has ended
	}
	return s, nil
}

// command is a child that gets no Ctrl-C of ours and does not outlive us.
func command(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

// watch keeps the largest memory, and ends a server that grows beyond bounds.
func (s *server) watch(ctx context.Context) {
	tick := time.NewTicker(watchPace)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		rss := s.rss()
		s.mu.Lock()
		s.peak = max(s.peak, rss)
		s.mu.Unlock()
		if rss > maxRSS {
			_ = s.cmd.Process.Kill() // or it has ended
		}
	}
}

// takePeak is the largest memory in MB since it was last taken.
func (s *server) takePeak() int {
	now := s.rss()
	s.mu.Lock()
	defer s.mu.Unlock()
	peak := max(s.peak, now)
	s.peak = 0
	return peak
}

// rss is the memory of the server in MB, 0 once it has ended.
func (s *server) rss() int {
	fields := s.proc("statm")
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.Atoi(fields[1]) // the kernel's own number
	return pages * os.Getpagesize() >> 20
}

// passes returns the passes of the server's event loops since the last call.
func (s *server) passes() (p passes) {
	if _, err := io.WriteString(s.asks, "\n"); err != nil {
		return p // it has ended
	}
	var stats struct {
		Loops []passes `json:"loop_lag"` // none before November 2026
	}
	if s.tells.SetReadDeadline(time.Now().Add(patience)) != nil || json.NewDecoder(s.tells).Decode(&stats) != nil {
		return p // it has ended, or its loops do not answer
	}
	for _, l := range stats.Loops {
		p.Longest, p.Worked = max(p.Longest, l.Longest), max(p.Worked, l.Worked)
		p.Moved += l.Moved
	}
	return p
}

// cpu is the processor time of the server so far, 0 once it has ended.
func (s *server) cpu() time.Duration {
	fields := s.proc("stat")
	if len(fields) < 15 {
		return 0
	}
	user, _ := strconv.Atoi(fields[13]) // proc(5): the name before has no blank
	system, _ := strconv.Atoi(fields[14])
	return time.Duration(user+system) * time.Second / 100
}

func (s *server) proc(file string) []string {
	text, _ := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), file)) // none once it has ended
	return strings.Fields(string(text))
}

// gone reports whether the server has ended.
func (s *server) gone() bool {
	select {
	case <-s.ended:
		return true
	default:
		return false
	}
}

// end asks the server to end. It reports whether it did so in time.
func (s *server) end() bool {
	defer s.log.Close()
	defer s.work.Wait()
	defer s.stop()
	_ = s.cmd.Process.Signal(syscall.SIGTERM) // or it has ended
	select {
	case <-s.ended:
		return true
	case <-time.After(endTime):
		_ = s.cmd.Process.Kill()
		<-s.ended
		return false
	}
}

// strike runs the attacker's process.
func (s *server) strike(ctx context.Context, program, name string, long time.Duration) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, long+4*patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "do", "-name", name, "-addr", s.addr, "-server", strconv.Itoa(s.cmd.Process.Pid), "-for", long.String())
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.Env = append(os.Environ(), "GOMAXPROCS=1")
	var told, complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &told, &complaints
	if err := cmd.Run(); err != nil {
		return outcome{}, fmt.Errorf("attack %s: %w: %s", name, err, complaints.String())
	}
	var o outcome
	return o, json.Unmarshal(told.Bytes(), &o)
}
