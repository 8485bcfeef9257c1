package chat_test

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// The program as main runs it: every page is served, strictly, and it ends when
// told.
func TestMainServesThePages(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	out, stdout := io.Pipe()
	code := make(chan int, 1)
	go func() { code <- chat.Main(ctx, []string{"-addr", "127.0.0.1:0", "-log", "error"}, stdout, io.Discard) }() // the test waits for it
	line, err := bufio.NewReader(out).ReadString('\n')
	host, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v; want listening on HOST:PORT", line, err)
	}

	for _, path := range []string{"/", "/scores/", "/cursors/", "/tabs/", "/style.css", "/phoenix.mjs"} {
		answer, err := http.Get("http://" + host + path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		answer.Body.Close()
		if err != nil || answer.StatusCode != http.StatusOK || len(body) == 0 {
			t.Errorf("GET %s: status %d, %d bytes, %v; want 200 and a body", path, answer.StatusCode, len(body), err)
		}
		policy := answer.Header.Get("Content-Security-Policy")
		if !strings.HasPrefix(policy, "default-src 'self';") || strings.Contains(policy, "unsafe") {
			t.Errorf("GET %s: Content-Security-Policy %q, want default-src 'self' and nothing unsafe", path, policy)
		}
	}
	http.DefaultClient.CloseIdleConnections()

	cancel()
	if got := <-code; got != 0 {
		t.Errorf("Main = %d, want 0", got)
	}
}

func TestMainRefusesArguments(t *testing.T) {
	for _, args := range [][]string{{"-nonsense"}, {"extra"}, {"-addr", "4000"}, {"-addr", "unix:"}} {
		if got := chat.Main(context.Background(), args, io.Discard, io.Discard); got != 2 {
			t.Errorf("Main(%q) = %d, want 2", args, got)
		}
	}
	if got := chat.Main(context.Background(), []string{"-help"}, io.Discard, io.Discard); got != 0 {
		t.Errorf("Main(-help) = %d, want 0", got)
	}
}
