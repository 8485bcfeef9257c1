package main_test

import (
	"bufio"
	"context"
	"flag"
	"io"
	"strconv"
	"strings"
	"testing"

	conformance "github.com/roost-rt/roost/server/conformance"
)

// The black-box tests can be pointed at a server that runs elsewhere, such as
// real Phoenix with the same mounts.
var (
	server  = flag.String("server", "", "`HOST:PORT` of a running server to test instead of ours")
	phoenix = flag.String("phoenix", "", "`bandit or cowboy`: -server is Phoenix on that, and may differ as differences says")
)

// start returns the address of the server to test: ours, which runs until the
// end of the test, or that of -server.
func start(t *testing.T) string {
	t.Helper()
	if *server != "" {
		return *server
	}
	return startNodes(t, 1)[0]
}

// startNodes runs nodes of one cluster of ours until the end of the test.
func startNodes(t *testing.T, n int) (addrs []string) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	stdout, w := io.Pipe()
	code := make(chan int, 1)
	go func() { // ends with ctx; the cleanup waits for it
		code <- conformance.Run(ctx, []string{"-addr", "127.0.0.1:0", "-nodes", strconv.Itoa(n), "-log", "error"}, w, t.Output())
		w.Close() // in case it did not start
	}()
	t.Cleanup(func() {
		cancel()
		if got := <-code; got != 0 {
			t.Errorf("exit code after Ctrl-C is %d, want 0", got)
		}
	})
	lines := bufio.NewReader(stdout)
	for range n {
		line, err := lines.ReadString('\n')
		if err != nil {
			t.Fatalf("reading what it prints: %v", err)
		}
		addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
		if !ok {
			t.Fatalf("it printed %q, want listening on ADDR", line)
		}
		addrs = append(addrs, addr)
	}
	return addrs
}

// ours skips a test that is about this process or project if another server is to
// be tested.
func ours(t *testing.T) {
	t.Helper()
	if *server != "" {
		t.Skip("this is not about the server at -server")
	}
}
