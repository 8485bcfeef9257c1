// Server is the chat server; see package chat and -help.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/roost-rt/roost/server/chat"
	"github.com/roost-rt/roost/server/live"
	"github.com/roost-rt/roost/server/tracing/otlp"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run runs the chat server, except for callers that still take it for the generator.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (code int) {
	if len(args) > 0 && args[0] == "gen" {
		fmt.Fprintf(stderr, "server: gen is a program of its own: go run github.com/roost-rt/roost/server/%s\n", strings.Join(args, " "))
		return 2
	}
	return chat.Program{Traces: startTracer, Board: newBoard}.Main(ctx, args, stdout, stderr)
}

func startTracer(url string, ratio float64, log *slog.Logger) (chat.Tracer, error) {
	return otlp.Start(otlp.Config{URL: url, Ratio: ratio, Logger: log})
}

func newBoard() chat.Board { return live.NewBoard() }
