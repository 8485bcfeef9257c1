// Newcomer follows README and the pages as somebody does who has just cloned the
// repository, with a watch: first chat, own channel, two nodes, live page, load on an
// application of one's own. See usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"time"
)

const usage = `usage: go run ./scripts/newcomer [-cold]

Clones this repository's HEAD to a temporary folder, and runs the commands of README,
server/GETTING-STARTED.md, pubsub/CLUSTERING.md and server/OPERATING.md there, as they stand
in the pages; only addresses are replaced by free ones. Chromium sees what a newcomer sees.
Prints a line for each step: how long it took, how long it may take, and what was seen.
Needs Node.js, Chromium and nats-server, which it does not install.

Exit codes: 0 all was seen in time, 1 something was not, 2 wrong arguments.

`

func main() {
	flags := flag.NewFlagSet("newcomer", flag.ContinueOnError)
	cold := flags.Bool("cold", false, "begin with no compiled packages, and no modules")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	case flags.NArg() > 0:
		fmt.Fprintf(os.Stderr, "newcomer: unexpected argument %q\n", flags.Arg(0))
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := follow(ctx, *cold); err != nil {
		fmt.Fprintln(os.Stderr, "newcomer:", err)
		stop()
		os.Exit(1)
	}
}

// A step is an aim of a newcomer, and how long it may take.
type step struct {
	what   string
	within time.Duration
	do     func(*path) (seen string, err error)
}

var steps = []step{
	{"a first chat in the browser", 2 * time.Minute, firstChat},
	{"a channel of one's own, with its test", 5 * time.Minute, ownChannel},
	{"two nodes, one cluster", 5 * time.Minute, twoNodes},
	{"the live page, under load", 10 * time.Minute, livePage},
	{"load on an application of one's own", 5 * time.Minute, ownLoad},
}

// follow does all steps, and fails with the first that does not go.
func follow(ctx context.Context, cold bool) error {
	for _, tool := range []string{"git", "go", "node", "nats-server"} {
		if _, err := exec.LookPath(tool); err != nil {
			return fmt.Errorf("%w: apt-get install nodejs chromium nats-server", err)
		}
	}
	folder, err := os.MkdirTemp("", "newcomer-")
	if err != nil {
		return err
	}
	defer remove(folder)
	p, err := newPath(folder, cold)
	if err != nil {
		return err
	}
	for _, s := range steps {
		begun := time.Now()
		seen, err := p.in(ctx, s)
		took := time.Since(begun).Round(100 * time.Millisecond)
		if err != nil {
			return fmt.Errorf("%s: after %v of %v: %w", s.what, took, s.within, err)
		}
		fmt.Printf("%-38s %7v of %-6v %s\n", s.what, took, s.within, seen)
	}
	return nil
}

// remove removes a folder with modules, which the go command makes read-only.
func remove(folder string) {
	_ = exec.Command("chmod", "-R", "u+w", folder).Run() // whatever stays is in the temporary folder
	_ = os.RemoveAll(folder)
}
