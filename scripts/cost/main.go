// Cost measures what clients cost today's server and another commit's, by turns on one
// machine: processor time, memory, rates and delays, as one table.
//
//	scripts/cost/run -at 3529a58 -rounds 3 -out results/cost
//	scripts/cost/run -floor
//
// The servers are scripts/cost/serve, built with the packages of each commit, a
// fresh process for each measure. Their clients are today's: loadtest where it has the
// figure, else the process "cost crowd".
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"
)

const usage = `usage: scripts/cost/run [-at COMMIT | -floor] [flags]

Measures today's server and another one by turns, each measure with a
fresh server, and prints medians, spreads and ratios as one table. With its
defaults it takes about 14 minutes, and wants a machine for itself. CPU is that of
the server, user and system.

The exit code is 0 if all was measured, 130 after Ctrl-C, 2 for wrong arguments, 1
if something could not be measured; the others are in the table then. Needs Linux;
uses loopback only.

-at COMMIT, which comes first, is what to compare with; or -floor, the bare C server
of scripts/floor, which knows chat and echo only. Without, today's server is alone.

flags:
`

// exit codes beside 0
const (
	broken      = 1
	misused     = 2
	interrupted = 130
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	if slices.Equal(args, []string{"crowd"}) {
		beCrowd()
		return 0
	}
	cfg, out := config{}, ""
	flags := flag.NewFlagSet("cost", flag.ContinueOnError)
	flags.SetOutput(stderr)
	cfg.flags(flags)
	flags.StringVar(&out, "out", "", "`folder` for cost.txt and cost.json")
	flags.Usage = func() {
		fmt.Fprint(flags.Output(), usage)
		flags.PrintDefaults()
		fmt.Fprint(flags.Output(), "\nmeasures:\n")
		for _, m := range measures {
			fmt.Fprintf(flags.Output(), "  %-9s %s\n", m.name, m.says)
		}
	}
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return misused
	}
	chosen, err := choose(cfg.Only)
	if err == nil {
		err = cfg.check(flags.NArg())
	}
	if err != nil {
		fmt.Fprintln(stderr, "cost:", err)
		return misused
	}
	r, err := newReport(cfg, args)
	if err == nil {
		r.measure(ctx, chosen, stderr)
		if ctx.Err() != nil {
			return interrupted
		}
		err = r.write(stdout, out)
	}
	if err != nil {
		fmt.Fprintln(stderr, "cost:", err)
		return broken
	}
	if len(r.Failures) > 0 {
		return broken
	}
	return 0
}

// A side is one of the two servers.
type side struct {
	name    string
	program string
	now     bool
}

// sides are in the order of a round, so that none is always the second.
func (c config) sides(round int) []side {
	sides := []side{{"now", c.Server, true}}
	if c.Before != "" {
		sides = append(sides, side{"before", c.Before, false})
	}
	if round%2 == 0 {
		slices.Reverse(sides)
	}
	return sides
}

// measure makes all rounds, or ends with ctx. It notes a measure that fails, and goes on
// with the rest.
func (r *report) measure(ctx context.Context, chosen []measure, progress io.Writer) {
	for round := range r.Config.Rounds {
		for _, m := range chosen {
			for _, side := range r.Config.sides(round) {
				begin := time.Now()
				err := m.of(ctx, &trial{r.Config, side.program, func(name, unit string, value float64) {
					values := r.of(name, unit, side.now)
					*values = append(*values, value)
				}})
				if ctx.Err() != nil {
					return
				}
				what := fmt.Sprintf("round %d of %d, %-8s %-6s", round+1, r.Config.Rounds, m.name, side.name)
				if err != nil {
					r.Failures = append(r.Failures, fmt.Sprintf("%s: %v", what, err))
					fmt.Fprintf(progress, "%s FAILED: %v\n", what, err)
				} else {
					fmt.Fprintf(progress, "%s %.0f s\n", what, time.Since(begin).Seconds())
				}
			}
		}
	}
}

// A config says what to measure.
type config struct {
	Server     string        `json:"-"`      // program of today's serve
	Before     string        `json:"-"`      // of the other commit; "" for none
	Loadtest   string        `json:"-"`      // program
	Commit     string        `json:"commit"` // of Server, as it was given
	At         string        `json:"at"`     // of Before
	Only       string        `json:"only"`   // names of measures, with commas; "" is all
	Rounds     int           `json:"rounds"`
	Clients    int           `json:"clients"`
	Sessions   int           `json:"sessions"`
	Broadcasts int           `json:"broadcasts"`
	Idle       time.Duration `json:"idle_ns"`
	Later      time.Duration `json:"later_ns"`
	Echo       time.Duration `json:"echo_ns"`
}

func (c *config) flags(f *flag.FlagSet) {
	f.StringVar(&c.Server, "server", "", "`program` of scripts/cost/serve; run fills it in")
	f.StringVar(&c.Before, "before", "", "`program` of scripts/cost/serve at the other commit; run fills it in")
	f.StringVar(&c.Loadtest, "loadtest", "", "`program` of loadtest; run fills it in")
	f.StringVar(&c.Commit, "commit", "of unknown commit", "`name` of the server's commit, for the report; run fills it in")
	f.StringVar(&c.At, "at-commit", "not measured", "`name` of the other commit, for the report; run fills it in")
	f.StringVar(&c.Only, "only", "", "what to measure, `NAME,NAME,…` (default all that is below)")
	f.IntVar(&c.Rounds, "rounds", 3, "`number` of rounds")
	f.IntVar(&c.Clients, "clients", 10_000, "`number` of WebSocket clients; with TLS as many as files suffice for")
	f.IntVar(&c.Sessions, "sessions", 2_000, "`number` of sessions of long polling")
	f.IntVar(&c.Broadcasts, "broadcasts", 10, "`number` of broadcasts in each measure")
	f.DurationVar(&c.Idle, "idle", 20*time.Second, "`time` that an idle server is measured, after 5 s of rest")
	f.DurationVar(&c.Later, "later", 45*time.Second, "`time` from the joins to when memory is read again; clients without a heartbeat are closed after 60 s")
	f.DurationVar(&c.Echo, "echo", 5*time.Second, "`time` of echo")
}

func (c *config) check(rest int) error {
	switch {
	case rest > 0:
		return errors.New("unexpected arguments; see -help")
	case c.Server == "" || c.Loadtest == "":
		return errors.New("-server and -loadtest are missing: scripts/cost/run builds and names them")
	case c.Rounds < 1 || c.Rounds > 100:
		return fmt.Errorf("-rounds is %d: want 1 to 100", c.Rounds)
	case c.Clients < 20 || c.Clients > 15_000:
		return fmt.Errorf("-clients is %d: want 20 to 15000", c.Clients)
	case c.Sessions < 10 || c.Sessions > 10_000:
		return fmt.Errorf("-sessions is %d: want 10 to 10000", c.Sessions)
	case c.Broadcasts < 1 || c.Broadcasts > 100:
		return fmt.Errorf("-broadcasts is %d: want 1 to 100", c.Broadcasts)
	case c.Idle <= 0 || c.Later <= 0 || c.Idle > 50*time.Second || c.Later > 50*time.Second:
		return fmt.Errorf("-idle is %v, -later %v: want up to 50s, as clients without a heartbeat are closed after 60 s", c.Idle, c.Later)
	case c.Echo < time.Second || c.Echo > time.Minute:
		return fmt.Errorf("-echo is %v: want 1s to 1m", c.Echo)
	}
	return nil
}

// choose returns the measures of those names, or all.
func choose(names string) (chosen []measure, err error) {
	if names == "" {
		return measures, nil
	}
	for name := range strings.SplitSeq(names, ",") {
		i := slices.IndexFunc(measures, func(m measure) bool { return m.name == name })
		if i < 0 {
			return nil, fmt.Errorf("no measure is called %q; see -help", name)
		}
		chosen = append(chosen, measures[i])
	}
	return chosen, nil
}
