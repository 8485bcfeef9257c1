// Fronts measures what TLS costs, and what nginx and HAProxy in front of Roost do:
// each way to the server carries the same chat, by turns, and is a row of a table.
//
// scripts/fronts/run builds what it needs. See -help.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
)

// options says what to measure, and how.
type options struct {
	server, loadtest          string // programs
	clients, messages, rounds int
	only                      []string // names of ways; none is all
	scenario                  string   // file that users follow; "" is a chat
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
		fmt.Fprintln(os.Stderr, "fronts:", err)
		os.Exit(1)
	}
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("fronts", flag.ContinueOnError)
	f.StringVar(&o.server, "server", "", "`program` of the chat server")
	f.StringVar(&o.loadtest, "loadtest", "", "`program` of the load generator")
	f.IntVar(&o.clients, "clients", 1000, "`number` of clients")
	f.IntVar(&o.messages, "messages", 10, "`number` of broadcasts to all, two a second")
	f.IntVar(&o.rounds, "rounds", 1, "`times` that each way has its turn; the table has the medians")
	f.StringVar(&o.scenario, "scenario", "", "scenario `file` that users follow instead of a chat, such as scripts/fronts/wss.yaml; cert.pem, beside it then, is the certificate's")
	f.Func("only", "`names` of ways, with commas (default all: "+strings.Join(names(), ", ")+")", func(list string) error {
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
	if o.server == "" || o.loadtest == "" || o.clients < 1 || o.messages < 1 || o.rounds < 1 {
		return o, errors.New("want -server, -loadtest, and at least one of each number; scripts/fronts/run says the programs")
	}
	return o, nil
}

// run measures all ways by turns and prints the table.
func run(ctx context.Context, o options) error {
	folder, err := os.MkdirTemp("", "fronts")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := writeCertificate(folder); err != nil {
		return err
	}
	figures := make(map[string][]figure)
	for range o.rounds {
		for _, w := range ways {
			if len(o.only) > 0 && !slices.Contains(o.only, w.name) {
				continue
			}
			fmt.Printf("%s … ", w.name)
			f, err := w.measure(ctx, o, folder)
			if err != nil {
				fmt.Println("failed")
				return fmt.Errorf("%s: %w", w.name, err)
			}
			fmt.Println("done")
			figures[w.name] = append(figures[w.name], f)
		}
	}
	what := fmt.Sprintf("%d broadcasts", o.messages)
	if o.scenario != "" {
		what = o.scenario
	}
	fmt.Printf("\n%d clients, %s; medians of %d\n\n%s", o.clients, what, o.rounds, table(figures))
	return nil
}
