// Conformance is the server that black-box suites of the Phoenix Channels
// protocol are pointed at: mounts, topics and events to which Roost and Phoenix
// must give the same answers. It is a test of package phx, not an example of
// how to use it: half of it misbehaves on request.
//
// Its callbacks share no state, so each of them runs as package phx says.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: conformance [flags]

Serves what test suites of the Phoenix Channels protocol expect, until Ctrl-C:
sockets at /socket, /ws and others, and for the suites' own use

GET  /__conformance/alive?topic=T   how many channels have joined T
POST /__conformance/broadcast       {"topic", "event", "payload"}: sends it

flags:
`

// drainTime is how long a clean end may take.
const drainTime = 8 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program until ctx is done. It returns the exit code: 0 after a
// clean end, 1 if it could not run, 2 for wrong arguments.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("conformance", flag.ContinueOnError)
	flags.SetOutput(stderr)
	addr := flags.String("addr", "127.0.0.1:4000", "`HOST:PORT` to listen on; port 0 picks a free one")
	n := flags.Int("nodes", 1, "how many `nodes` of one cluster to run; all but the first pick a free port")
	level := slog.LevelWarn
	flags.TextVar(&level, "log", level, "log `level`: debug, info, warn or error; the suites crash channels on purpose")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case flags.NArg() > 0:
		fmt.Fprintf(stderr, "conformance: unexpected argument %q; see -help\n", flags.Arg(0))
		return 2
	}
	_, port, err := net.SplitHostPort(*addr)
	if err == nil {
		_, err = net.LookupPort("tcp", port)
	}
	if err != nil {
		fmt.Fprintf(stderr, "conformance: -addr is %q: want HOST:PORT, such as 127.0.0.1:4000 or :4000, and a port up to 65535\n", *addr)
		return 2
	}
	if *n < 1 {
		fmt.Fprintf(stderr, "conformance: -nodes is %d: want at least 1\n", *n)
		return 2
	}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if err := serve(ctx, *addr, *n, log, stdout); err != nil {
		fmt.Fprintf(stderr, "conformance: %v\n", err)
		return 1
	}
	return 0
}

// serve runs n nodes, the first one at addr, until ctx is done.
func serve(ctx context.Context, addr string, n int, log *slog.Logger, stdout io.Writer) error {
	nodes, end, err := startNodes(ctx, addr, n, log)
	if err != nil {
		return errors.Join(err, end())
	}
	for _, ep := range nodes {
		fmt.Fprintf(stdout, "listening on %s\n", ep.Addr())
	}
	<-ctx.Done()
	return end()
}
