package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
)

// serverRole is the environment variable that makes this test binary the server.
const serverRole = "ROOST_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverRole) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		os.Exit(run(ctx, []string{"-addr", "127.0.0.1:0", "-log", "debug"}, os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

const patience = 30 * time.Second

// A child is a server process.
type child struct {
	cmd   *exec.Cmd
	addr  string
	ended chan error
}

func startChild(t *testing.T, stderr *os.File) *child {
	t.Helper()
	c := &child{cmd: exec.Command(os.Args[0]), ended: make(chan error, 1)}
	c.cmd.Env = append(os.Environ(), serverRole+"=1")
	c.cmd.Stderr = stderr
	stdout, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatalf("the server says %q, %v", line, err)
	}
	c.addr = strings.TrimSpace(strings.TrimPrefix(line, "listening on "))
	go func() { c.ended <- c.cmd.Wait() }() // ends with the process, which the test ends
	return c
}

// fullPipe is the end to write to of a pipe that nobody reads and that takes
// nothing any more.
func fullPipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	for _, size := range []int{4096, 1} {
		for err = nil; err == nil; {
			_ = w.SetWriteDeadline(time.Now().Add(50 * time.Millisecond))
			_, err = w.Write(make([]byte, size))
		}
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatal(err)
		}
	}
	return w
}

// refuse sends joins that are refused, and wants all answers.
func refuse(t *testing.T, addr string, joins int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	conn, _, _, err := ws.Dial(ctx, "ws://"+addr+"/socket/websocket?vsn=2.0.0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for i := range joins {
		_ = conn.SetDeadline(time.Now().Add(patience))
		if err := wsutil.WriteClientText(conn, fmt.Appendf(nil, `["1","%d","nowhere:%d","phx_join",{}]`, i, i)); err != nil {
			t.Fatalf("join %d: %v", i, err)
		}
		if answer, err := wsutil.ReadServerText(conn); err != nil || !strings.Contains(string(answer), "unmatched topic") {
			t.Fatalf("join %d: %q, %v", i, answer, err)
		}
	}
}

func (c *child) terminate(t *testing.T) {
	t.Helper()
	if err := c.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	select {
	case err := <-c.ended:
		if err != nil {
			t.Errorf("the server ends with %v", err)
		}
	case <-time.After(patience):
		t.Errorf("the server has not ended %v after SIGTERM", patience)
	}
}

// A log that nobody reads stops neither the answers nor the end.
func TestStderrNobodyReads(t *testing.T) {
	c := startChild(t, fullPipe(t))
	refuse(t, c.addr, 2_000)
	c.terminate(t)
}

// Nor does a log whose reader has died.
func TestStderrReaderDies(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	c := startChild(t, w)
	w.Close()
	r.Close()
	refuse(t, c.addr, 100)
	c.terminate(t)
}

// What one client can write into the log is bounded.
func TestLogOfOneClientIsBounded(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	size := make(chan int64, 1)
	go func() { // ends with the server
		n, _ := io.Copy(io.Discard, r)
		r.Close()
		size <- n
	}()
	c := startChild(t, w)
	w.Close()
	start := time.Now()
	refuse(t, c.addr, 4_000) // more at once than the log takes, fewer than Rates allow
	took := time.Since(start)
	c.terminate(t)
	const line = 300 // bytes
	if n, most := <-size, int64((1_000+100*(took.Seconds()+1))*line); n > most || n < 1_000 {
		t.Errorf("4,000 refused joins in %v are %d bytes of log, want at most %d", took, n, most)
	}
}
