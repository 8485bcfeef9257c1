// Tools measures load generators by turns against the same server: Roost's, k6 and
// tsung. It compares their own cost, and whether they account for every message.
//
// scripts/tools/run builds what it needs. See -help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// options says what to measure, and how.
type options struct {
	server, loadtest, k6 string // programs
	commit               string
	clients              []int
	messages, rounds     int
	only                 []string // names of tools; none is all
	out                  string   // folder; "" for none
	notes                []string
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	o, err := parse(os.Args[1:])
	if errors.Is(err, flag.ErrHelp) {
		return
	}
	if err == nil {
		err = run(ctx, o)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "tools:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	o.clients = []int{1000, 10_000}
	f := flag.NewFlagSet("tools", flag.ContinueOnError)
	f.StringVar(&o.server, "server", "", "`program` of the chat server")
	f.StringVar(&o.loadtest, "loadtest", "", "`program` of the load generator")
	f.StringVar(&o.k6, "k6", "k6", "`program` of k6")
	f.StringVar(&o.commit, "commit", "", "`commit` of both, for the report")
	f.Func("clients", "`numbers` of clients, with commas (default 1000,10000)", func(list string) (err error) {
		o.clients, err = numbers(list)
		return err
	})
	f.IntVar(&o.messages, "messages", 10, "`number` of broadcasts to all, two a second")
	f.IntVar(&o.rounds, "rounds", 1, "`times` that each tool has its turn; the table has the medians")
	f.StringVar(&o.out, "out", "", "`folder` for README.md, tools.txt and tools.json, which replace those that are there")
	f.Func("note", "`sentence` for the report; may be said several times", func(note string) error {
		o.notes = append(o.notes, note)
		return nil
	})
	f.Func("only", "`names` of tools, with commas (default all: "+strings.Join(names(), ", ")+")", func(list string) error {
		for name := range strings.SplitSeq(list, ",") {
			if !slices.Contains(names(), name) {
				return fmt.Errorf("there is no %q", name)
			}
			o.only = append(o.only, name)
		}
		return nil
	})
	if err := f.Parse(args); err != nil {
		return o, err
	}
	if o.server == "" || o.loadtest == "" || o.messages < 1 || o.rounds < 1 {
		return o, errors.New("want -server, -loadtest, and at least one of each number; scripts/tools/run says the programs")
	}
	return o, nil
}

// mostClients is how many clients one process may have files for.
const mostClients = 19_000

func numbers(list string) (all []int, err error) {
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 2 || n > mostClients {
			return nil, fmt.Errorf("%q: want a number of 2 to %d", text, mostClients)
		}
		all = append(all, n)
	}
	return all, nil
}

// run measures all tools by turns and shows the table. A tool that breaks is a row,
// and an error at the end.
func run(ctx context.Context, o options) error {
	r, err := newReport(o, os.Args)
	if err != nil {
		return err
	}
	for round := range o.rounds {
		for _, clients := range append([]int{1}, o.clients...) {
			for _, t := range tools {
				if len(o.only) > 0 && !slices.Contains(o.only, t.name) {
					continue
				}
				fmt.Fprintf(os.Stderr, "%s, %d clients … ", t.name, clients)
				f := t.measure(ctx, o, clients, round)
				if ctx.Err() != nil {
					return ctx.Err()
				}
				fmt.Fprintln(os.Stderr, f)
				r.Figures = append(r.Figures, f)
			}
		}
	}
	return r.write(os.Stdout, o.out)
}

// String is a figure in a line.
func (f figure) String() string {
	if f.Failure != "" {
		return "failed: " + f.Failure
	}
	return fmt.Sprintf("%.0f joins/s, %d MB, %.1f s of CPU, %d receipts", f.Joins, f.RSS>>20, f.CPU, f.Account.Receipts)
}
