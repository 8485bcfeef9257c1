// Loadtest is the load generator alone; see package cli and -help.
package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/roost-rt/roost/loadtest/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), cli.Signals()...)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once, and its children with it
	os.Exit(cli.Program{}.Main(ctx, os.Args[1:]))
}
