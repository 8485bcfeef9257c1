package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/roost-rt/roost/loadtest/versus"
)

// compareServers runs the subcommand of that name and returns the exit code.
func compareServers(ctx context.Context, args []string) int {
	self, err := os.Executable()
	if err != nil {
		fmt.Fprintf(os.Stderr, "loadtest compare-servers: %v\n", err)
		return exitBroken
	}
	c, err := versus.Parse(args, versus.Program{Path: self, Records: recordsFile, Missed: exitMissed, Flags: printFlags}, os.Stdout)
	switch {
	case errors.Is(err, errHelp):
		return exitOK
	case err != nil:
		return misused(os.Stderr, "compare-servers", err)
	}
	bouts := c.Play(ctx)
	if err := c.Save(bouts, ctx.Err() != nil); err != nil {
		fmt.Fprintf(os.Stderr, "loadtest compare-servers: %v\n", err)
		return exitBroken
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case len(versus.Faults(bouts)) > 0:
		return exitMissed
	}
	return exitOK
}
