// Conformance is the server that black-box suites of the Phoenix Channels
// protocol are pointed at: mounts, topics and events to which Roost and Phoenix
// must give the same answers. It is a test of package phx, not an example of
// how to use it: half of it misbehaves on request.
//
// Its callbacks share no state, so each of them runs as package phx says.
// Missing are the topics presence:*: there is no presence yet.
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

	"github.com/roost-rt/roost/server/phx"
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
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	if err := serve(ctx, *addr, log, stdout); err != nil {
		fmt.Fprintf(stderr, "conformance: %v\n", err)
		return 1
	}
	return 0
}

func serve(ctx context.Context, addr string, log *slog.Logger, stdout io.Writer) error {
	mounts := append(general(), integration(ctx)...)
	ep, err := phx.Start(phx.Config{Addr: addr, Mounts: mounts, HTTP: control(), Logger: log})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("-addr: %w\nAnother program listens on %s. End it, or choose another port: -addr 127.0.0.1:0 picks a free one", err, addr)
	}
	if err != nil {
		return fmt.Errorf("-addr is %q: %w", addr, err)
	}
	fmt.Fprintf(stdout, "listening on %s\n", ep.Addr())
	<-ctx.Done()
	drain, cancel := context.WithTimeout(context.Background(), drainTime)
	defer cancel()
	if err := ep.Shutdown(drain); err != nil {
		return fmt.Errorf("shut down: %w", err)
	}
	return nil
}
