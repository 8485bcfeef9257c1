package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/roost-rt/roost/loadtest/versus"
	"github.com/roost-rt/roost/server/settings"
)

// compareServers runs the subcommand of that name and returns the exit code.
func (p Program) compareServers(ctx context.Context, args []string) int {
	self, err := p.self()
	if err != nil {
		return p.failed(os.Stderr, "compare-servers", err)
	}
	var help strings.Builder
	c, err := versus.Parse(args, versus.Program{Command: self, Name: p.name(""), Records: recordsFile, Missed: exitMissed, Flags: settings.PrintDefaults}, &help)
	switch {
	case errors.Is(err, errHelp):
		fmt.Print(p.help(help.String()))
		return exitOK
	case err != nil:
		return p.misused(os.Stderr, "compare-servers", err)
	}
	bouts := c.Play(ctx)
	if err := c.Save(bouts, ctx.Err() != nil); err != nil {
		return p.failed(os.Stderr, "compare-servers", err)
	}
	switch {
	case ctx.Err() != nil:
		return exitInterrupted
	case len(versus.Faults(bouts)) > 0:
		return exitMissed
	}
	return exitOK
}
