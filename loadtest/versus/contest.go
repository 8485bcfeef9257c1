package versus

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/report"
)

// usage is the text that -help shows before the flags.
const usage = `Loadtest compare-servers measures Roost and other servers on this host, by turns:
the same clients, messages and settings for each, in rounds, each round in
another order. Nothing else should run meanwhile.

  go run ./loadtest compare-servers -clients 1000,10000 \
      -server 'bandit=scripts/phoenix/serve' \
      -server 'cowboy=env ADAPTER=cowboy scripts/phoenix/serve'
  go run ./loadtest compare-servers -raw 'peer=./peer' -rate 1 -- -size 512

A server is a program with arguments, split at spaces. A script must end in exec,
because only this process is measured. A server prints "listening on HOST:PORT" when
it is ready and exits when its standard input ends. If it collects its garbage on
SIGUSR1 and then writes a line with msg=memory to its standard error, its memory is
measured after that, otherwise with garbage. -server speaks Phoenix Channels, -raw
plain WebSocket: at /chat it sends every text to all of its clients, at /echo
back to the sender.

Flags after -- are passed to each run, a chat and an echo. The folder gets
README.md, for each number of clients compare.html, compare.txt and compare.json,
and every run.

Exit codes: 0 all servers took all clients and lost nothing, 99 otherwise, 1 a file
could not be written, 2 wrong arguments, 130 interrupted; the report has the
measurements so far.

flags:
`

// A Program makes runs: this one.
type Program struct {
	Command []string                           // without the arguments of a run
	Name    string                             // before what it says of its end
	Records string                             // name of the file of records in a run's folder
	Missed  int                                // exit code of a run that was made, and missed something
	Flags   func(w io.Writer, f *flag.FlagSet) // prints flags for -help
}

// A Contest is servers to measure by turns.
type Contest struct {
	program    Program
	contenders []contender // the first is Roost
	clients    []int
	rounds     int
	messages   int
	rate       float64       // of messages, a second; 0: what a run chooses by itself
	echo       time.Duration // 0: none
	clientTCP  string        // where the clients' TCP is, for all servers
	oneRoom    bool          // of all processes of a server
	out        string        // folder
	notes      []string      // of the user, for the report
	more       []string      // flags of each run
}

// A contender is one server.
type contender struct {
	name    string
	command string // "" is Roost: this program
	raw     bool   // it speaks plain WebSocket
}

// A Bout is all runs with one number of clients.
type Bout struct {
	clients int
	of      map[string][]*measurement // by the name of the contender
}

// Parse reads the arguments of the command. For -help it writes the usage to help
// and returns flag.ErrHelp.
func Parse(args []string, p Program, help io.Writer) (c Contest, err error) {
	c.program = p
	c.contenders = []contender{{name: "roost"}}
	c.clients = []int{1_000, 10_000}
	f := flag.NewFlagSet("compare-servers", flag.ContinueOnError)
	f.SetOutput(io.Discard)
	f.Func("server", "another server, `NAME=PROGRAM ARGS`; may be repeated", func(text string) error { return c.enter(text, false) })
	f.Func("raw", "the same for a server of plain WebSocket, `NAME=PROGRAM ARGS`", func(text string) error { return c.enter(text, true) })
	f.Func("clients", "`numbers` of clients, each a comparison of its own (default 1000,10000)", func(text string) (err error) {
		c.clients, err = parseNumbers(text)
		return err
	})
	f.IntVar(&c.rounds, "rounds", 3, "`number` of times that each server is measured; verdicts need 3")
	f.IntVar(&c.messages, "messages", 10, "`number` of messages to each room")
	f.Float64Var(&c.rate, "rate", 0, "messages `a second` in each room (default 2, fewer where the processors could not)")
	f.DurationVar(&c.echo, "echo", 10*time.Second, "`time` that the echo goes on; 0 for none")
	f.BoolVar(&c.oneRoom, "one-room", false, "where a server is several processes these are a cluster and one room; with other servers, their commands must see to it")
	f.StringVar(&c.clientTCP, "client-tcp", "kernel", "where the TCP of the clients is, for all servers: `kernel`, tun or bpf, as in a run; auto would not be the same for all runs")
	f.StringVar(&c.out, "out", "", "`folder` for the results, a new one (default results/TIME-servers)")
	f.Func("note", "`sentence` for the report: a version, what was tuned; may be repeated", func(text string) error {
		c.notes = append(c.notes, text)
		return nil
	})
	err = f.Parse(args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usage)
		p.Flags(help, f)
		return c, flag.ErrHelp
	case err != nil:
		return c, err
	case f.NArg() > 0 && !passedOn(args, f.NArg()):
		return c, fmt.Errorf("unexpected argument %q", f.Arg(0))
	case len(c.contenders) < 2:
		return c, errors.New("no -server and no -raw to compare with")
	case len(c.contenders) > report.MaxSides:
		return c, fmt.Errorf("%d servers: want at most %d beside Roost", len(c.contenders)-1, report.MaxSides-1)
	case !slices.Contains([]string{"kernel", "tun", "bpf"}, c.clientTCP):
		return c, fmt.Errorf("-client-tcp %s: want kernel, tun or bpf", c.clientTCP)
	case c.rounds < 1 || c.messages < 1 || c.rate < 0 || c.echo < 0:
		return c, errors.New("rounds and messages must be at least 1, rate and echo not negative")
	}
	if c.more = f.Args(); slices.ContainsFunc(c.more, saysTCP) {
		return c, errors.New("-client-tcp is for all servers alike, and for the report: say it before --")
	}
	if _, err := os.Stat(c.out); c.out != "" && err == nil {
		return c, fmt.Errorf("-out %s exists already: its runs would be mistaken for new ones", c.out)
	}
	if c.out == "" {
		c.out = filepath.Join("results", time.Now().UTC().Format("20060102T150405Z")+"-servers")
	}
	return c, nil
}

// saysTCP reports whether an argument is -client-tcp, in any form.
func saysTCP(arg string) bool {
	name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
	return name == "client-tcp" && strings.HasPrefix(arg, "-")
}

// passedOn says that the last n arguments follow "--".
func passedOn(args []string, n int) bool {
	return len(args) > n && args[len(args)-n-1] == "--"
}

// enter adds a contender, "NAME=PROGRAM ARGS".
func (c *Contest) enter(text string, raw bool) error {
	name, command, _ := strings.Cut(text, "=")
	if name == "" || strings.ContainsAny(name, "/|. ") || strings.TrimSpace(command) == "" {
		return errors.New("want NAME=PROGRAM ARGS, the name without blanks, dots, bars and slashes")
	}
	for _, other := range c.contenders {
		if other.name == name {
			return fmt.Errorf("two servers are called %q", name)
		}
	}
	c.contenders = append(c.contenders, contender{name, command, raw})
	return nil
}

// parseNumbers reads "1000,10000".
func parseNumbers(text string) (numbers []int, err error) {
	for part := range strings.SplitSeq(text, ",") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("%q: want a number of at least 1", part)
		}
		numbers = append(numbers, n)
	}
	return numbers, nil
}

// Play makes all runs, or those until ctx ends, and prints a line for each.
func (c Contest) Play(ctx context.Context) (bouts []Bout) {
	for _, clients := range c.clients {
		b := Bout{clients: clients, of: make(map[string][]*measurement)}
		for round := range c.rounds {
			for _, who := range c.order(round) {
				if ctx.Err() != nil {
					break
				}
				m := c.measure(ctx, who, clients, round+1)
				fmt.Printf("%d clients, round %d of %d, %-8s %s\n", clients, round+1, c.rounds, who.name, m)
				if m.whole() || m.reason != "" {
					b.of[who.name] = append(b.of[who.name], m)
				}
			}
		}
		if len(b.of) > 0 {
			bouts = append(bouts, b)
		}
	}
	return bouts
}

// order returns the order of a round: another contender comes first in each, and every
// second round is backwards, so that none always follows the same one.
func (c Contest) order(round int) []contender {
	first := round % len(c.contenders)
	order := slices.Concat(c.contenders[first:], c.contenders[:first])
	if round%2 == 1 {
		slices.Reverse(order)
	}
	return order
}

// good are the runs of a contender that figures are made of.
func (b Bout) good(name string) (runs []*measurement) {
	for _, m := range b.of[name] {
		if m.whole() {
			runs = append(runs, m)
		}
	}
	return runs
}
