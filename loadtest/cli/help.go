package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/server/settings"
)

// flagGroups are the flags of a run by what they are for, in the order of a reader's
// questions. Each flag is in one of them.
var flagGroups = []settings.Group{
	{Title: "target", Flags: "url header param subprotocol auth-token ca cert key server-name insecure resume protocol topic event"},
	{Title: "servers started here, without -url", Flags: "servers node server one-room apart nats presence"},
	{Title: "clients", Flags: "clients connect-rate heartbeat from agents client-tcp client-timestamps netns force"},
	{Title: "scenario", Flags: "scenario for rate messages size writers inflight rooms zipf churn slow how pushers push"},
	{Title: "verdict", Flags: "slo late drain timeout"},
	{Title: "report", Flags: "out json junit metrics otlp quiet server-pid"},
}

// printHelp prints the text for -help: all flags, or those of the scenario that was asked
// about, plan.App for a scenario file.
func (p Program) printHelp(w io.Writer, f *flag.FlagSet, asked plan.Scenario) {
	if asked == "" {
		fmt.Fprint(w, p.help(usage))
	} else {
		fmt.Fprintf(w, "usage: %s [flags]\n\n%s", p.name(string(asked)), settings.Filled("All clients join; then "+asked.Says()+".", ""))
	}
	var texts strings.Builder
	settings.Help(&texts, f, flagGroups, func(name string) bool {
		return asked == "" || fits(name, asked) && (asked != plan.App || !slices.Contains(scripted, name))
	})
	fmt.Fprint(w, p.help(texts.String()))
}
