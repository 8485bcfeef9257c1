package chat_test

import (
	"context"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/chat"
)

// -addr may name a Unix socket, whose file must not be there yet.
func TestUnixSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roost:1.sock") // a colon is not a port
	taken, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	var stdout, stderr strings.Builder
	if code := chat.Main(t.Context(), []string{"-addr", "unix:" + path}, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "If none runs, remove it") {
		t.Errorf("a path that is taken: exit code %d and %s, want 1 and what to do", code, &stderr)
	}
	taken.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // it starts, and ends
	if code := chat.Main(ctx, []string{"-addr", "unix:" + path}, &stdout, &stderr); code != 0 || stdout.String() != "listening on "+path+"\n" {
		t.Errorf("a free path: exit code %d and %q, want 0 and the path", code, &stdout)
	}
}
