package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// patience is how long the server and its clients may take for one thing.
const patience = time.Minute

// A server is the process that is measured.
type server struct {
	addr      string
	cmd       *exec.Cmd
	collected chan int // goroutines, after each garbage collection that was asked for
}

// startServer starts a program as scripts/cost/serve is one. It ends with ctx, or
// with stop.
func startServer(ctx context.Context, program string, args ...string) (*server, error) {
	s := &server{cmd: command(ctx, program, args...), collected: make(chan int, 1)}
	_, err := s.cmd.StdinPipe() // stays open: its end would be the server's
	if err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	stderr, err := s.cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start the server: %w", err)
	}
	go s.listen(stderr) // ends with the server
	if _, err := fmt.Fscanf(stdout, "listening on %s\n", &s.addr); err != nil {
		s.stop()
		return nil, fmt.Errorf("start the server: it says no address: %w", err)
	}
	return s, nil
}

// command is a child that gets no Ctrl-C of ours and does not outlive us.
func command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	return cmd
}

var goroutines = regexp.MustCompile(`msg=memory.* goroutines=(\d+)`)

// listen reads the server's log to its end.
func (s *server) listen(log io.Reader) {
	lines := bufio.NewScanner(log)
	for lines.Scan() {
		if found := goroutines.FindStringSubmatch(lines.Text()); found != nil {
			n, _ := strconv.Atoi(found[1]) // digits
			s.collected <- n
		} else if strings.Contains(lines.Text(), "level=ERROR") {
			fmt.Fprintln(os.Stderr, "server:", lines.Text())
		}
	}
	close(s.collected)
}

// stop ends the server at once: closing all clients properly would take longer
// than measuring them.
func (s *server) stop() {
	_ = s.cmd.Process.Kill() // or it has ended
	_ = s.cmd.Wait()         // by our signal
}

// A state tells what a server has used so far, and what it holds.
type state struct {
	cpu      time.Duration // user and system
	switches float64       // from thread to thread
	rss      float64       // bytes
	files    float64       // descriptors
	threads  float64
}

// look reads the state of the server.
func (s *server) look() (now state, err error) {
	pid := s.cmd.Process.Pid
	var ts unix.Timespec
	// The clock of another process, as clock_getcpuclockid(3) makes it: stat has
	// hundredths of a second only.
	if err := unix.ClockGettime(int32(^pid<<3|2), &ts); err != nil {
		return now, fmt.Errorf("the server's processor time: %w", err)
	}
	now.cpu = time.Duration(ts.Nano())
	proc := filepath.Join("/proc", strconv.Itoa(pid))
	files, err := os.ReadDir(proc + "/fd")
	if err != nil {
		return now, err
	}
	threads, err := os.ReadDir(proc + "/task")
	if err != nil {
		return now, err
	}
	now.files, now.threads = float64(len(files)), float64(len(threads))
	for _, thread := range threads {
		n, err := sum(filepath.Join(proc, "task", thread.Name(), "status"), "ctxt_switches:")
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it may have ended
			return now, err
		}
		now.switches += n
	}
	kB, err := sum(proc+"/smaps_rollup", "Rss:") // statm lags behind by some pages a thread
	now.rss = kB * 1024
	return now, err
}

// sum adds up the numbers in a file of /proc behind names that end so.
func sum(path, name string) (total float64, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if fields := strings.Fields(line); len(fields) > 1 && strings.HasSuffix(fields[0], name) {
			n, err := strconv.ParseFloat(fields[1], 64)
			if err != nil {
				return 0, fmt.Errorf("%s: %w", path, err)
			}
			total += n
		}
	}
	return total, nil
}

// collect has the server collect its garbage, and looks then.
func (s *server) collect() (now state, routines float64, err error) {
	if err := s.cmd.Process.Signal(syscall.SIGUSR1); err != nil {
		return now, 0, fmt.Errorf("ask the server to collect: %w", err)
	}
	select {
	case n, ok := <-s.collected:
		if !ok {
			return now, 0, errors.New("the server has ended")
		}
		now, err = s.look()
		return now, float64(n), err
	case <-time.After(patience):
		return now, 0, errors.New("the server does not collect")
	}
}

// wait waits, or returns the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
