package chat

import (
	"context"
	"io"
	"os"
)

// Child is Main for a process that a load test starts: it listens on a port of its own
// of loopback, unless args say otherwise, and ends when its standard input does.
func Child(args []string) int {
	ctx, cancel := context.WithCancel(context.Background())
	go func() { // ends with the process
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return Main(ctx, append([]string{"-addr", "127.0.0.1:0"}, args...), os.Stdout, os.Stderr)
}
