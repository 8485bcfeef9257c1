// Attack runs hostile and greedy clients against a server and shows what they
// do to its other clients: 50 bystanders who ping every 100 ms. Each attack gets
// a fresh server process, bystanders are measured before, during and after it,
// and one table says who was harmed.
//
//	scripts/attack/run -out results/attack
//
// Three processes take part: this one with the bystanders, the server (attack
// serve), and the attacker (attack do NAME).
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: scripts/attack/run [-at COMMIT] [flags]

Runs each attack against a fresh server while bystanders ping it, and prints what
happened to them before, during and after. An attack fails if a bystander or a
message of a well-behaved client is lost, if the bystanders' p99 exceeds 20 ms +
2x its quiet value, if the server's memory grows by more than -rss, if an event
loop works for more than 10 ms without a look at its other connections, or if the
server does not end on SIGTERM. One that was too slow runs twice more, and of its
times the medians count.

The exit code is 0 if no attack did harm, 99 if one did, 130 after Ctrl-C, 2 for
wrong arguments, 1 if the run broke. Needs Linux; uses loopback only.

-at COMMIT builds the server from that commit, to show before and after.

flags:
`

// exit codes beside 0
const (
	broken      = 1
	misused     = 2
	harmed      = 99
	interrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	if len(args) > 0 {
		switch args[0] {
		case "serve":
			return exitCode(stderr, serve(ctx, stdin, stdout, stderr))
		case "do":
			return exitCode(stderr, attackOnce(ctx, args[1:], stdout))
		}
	}
	return contest(ctx, args, stdout, stderr)
}

func exitCode(stderr io.Writer, err error) int {
	if err != nil {
		fmt.Fprintln(stderr, "attack:", err)
		return broken
	}
	return 0
}

// contest is the main job: every attack that was asked for, then the table.
func contest(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	cfg, out := config{}, ""
	flags := flag.NewFlagSet("attack", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cfg.flags(flags)
	flags.StringVar(&out, "out", "", "`folder` for attack.txt and attack.json")
	list := flags.Bool("list", false, "list the attacks and end")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return misused
	case *list:
		printAttacks(stdout)
		return 0
	}
	chosen, err := choose(cfg.Only)
	if err == nil {
		err = cfg.check(flags.NArg())
	}
	if err != nil {
		fmt.Fprintln(stderr, "attack:", err)
		return misused
	}
	r, err := newReport(cfg)
	for _, a := range chosen {
		if err != nil || ctx.Err() != nil {
			break
		}
		fmt.Fprintf(stderr, "%-16s %s\n", a.name, a.says)
		var row row
		if row, err = cfg.try(ctx, a); err == nil {
			r.Rows = append(r.Rows, row)
		}
	}
	if ctx.Err() != nil {
		return interrupted
	}
	if err == nil {
		err = r.write(stdout, out)
	}
	if err != nil {
		return exitCode(stderr, err)
	}
	return r.exitCode()
}

// A config says how to attack.
type config struct {
	Server     string        `json:"server"` // built program whose "serve" is the server; "" is this one
	Commit     string        `json:"commit"` // of the server, as it was given
	Only       string        `json:"only"`   // names of attacks, with commas; "" is all but the controls
	Bystanders int           `json:"bystanders"`
	For        time.Duration `json:"for_ns"`   // of each attack
	Quiet      time.Duration `json:"quiet_ns"` // measured before and after it
	MaxGrowth  int           `json:"max_growth_mb"`
}

func (c *config) flags(f *flag.FlagSet) {
	f.StringVar(&c.Server, "server", "", "`program` whose \"serve\" is attacked: this one, built elsewhere (default this one)")
	f.StringVar(&c.Commit, "commit", "of unknown commit", "`name` of the server's commit, for the report; run fills it in")
	f.StringVar(&c.Only, "only", "", "attacks to run, `NAME,NAME,…` (default all; see -list)")
	f.IntVar(&c.Bystanders, "bystanders", 50, "`number` of clients that ping")
	f.DurationVar(&c.For, "for", 4*time.Second, "`time` of each attack")
	f.DurationVar(&c.Quiet, "quiet", 2*time.Second, "`time` that is measured before and after each attack")
	f.IntVar(&c.MaxGrowth, "rss", 600, "`MB` that an attack may add to the server's memory; default twice 256 MiB, the most that clients together may have under way, as the collector lets the heap double")
}

func (c *config) check(rest int) error {
	switch {
	case rest > 0:
		return errors.New("unexpected arguments; see -help")
	case c.Bystanders < 1 || c.Bystanders > 1000:
		return fmt.Errorf("-bystanders is %d: want 1 to 1000", c.Bystanders)
	case c.For <= 0 || c.For > time.Minute:
		return fmt.Errorf("-for is %v: want up to 1m", c.For)
	case c.Quiet <= 0 || c.Quiet > time.Minute:
		return fmt.Errorf("-quiet is %v: want up to 1m", c.Quiet)
	case c.MaxGrowth < 1:
		return fmt.Errorf("-rss is %d: want at least 1", c.MaxGrowth)
	}
	return nil
}

// choose returns the attacks of those names, or all but the controls.
func choose(names string) (chosen []attack, err error) {
	if names == "" {
		for _, a := range attacks() {
			if !a.fails {
				chosen = append(chosen, a)
			}
		}
		return chosen, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		a, err := find(name)
		if err != nil {
			return nil, err
		}
		chosen = append(chosen, a)
	}
	return chosen, nil
}
