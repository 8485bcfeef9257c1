package cli

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/plan"
)

// flagGroups are the flags of a run by what they are for, in the order of a reader's
// questions. Each flag is in one of them.
var flagGroups = []struct{ title, flags string }{
	{"target", "url header param subprotocol auth-token ca cert key server-name insecure resume protocol topic event"},
	{"servers started here, without -url", "servers server one-room apart nats"},
	{"clients", "clients connect-rate heartbeat from agents netns force"},
	{"scenario", "scenario for rate messages size writers inflight rooms zipf churn slow how pushers push"},
	{"verdict", "slo late drain timeout"},
	{"report", "out json junit metrics quiet server-pid"},
}

// helpWidth is how long a line of help is at most.
const helpWidth = 100

// printHelp is what -help shows: all flags, or those of the scenario that was
// asked about, plan.App for a scenario file.
func (p Program) printHelp(w io.Writer, f *flag.FlagSet, asked plan.Scenario) {
	if asked == "" {
		fmt.Fprint(w, p.help(usage))
	} else {
		fmt.Fprintf(w, "usage: %s [flags]\n\n%s", p.name(string(asked)), filled("All clients join; then "+asked.Says()+".", ""))
	}
	for _, g := range flagGroups {
		var texts strings.Builder
		for name := range strings.FieldsSeq(g.flags) {
			if asked == "" || fits(name, asked) && (asked != plan.App || !slices.Contains(scripted, name)) {
				texts.WriteString(p.help(flagHelp(f.Lookup(name))))
			}
		}
		if texts.Len() > 0 {
			fmt.Fprintf(w, "\n%s:\n%s", g.title, texts.String())
		}
	}
}

// printFlags is flag.PrintDefaults in lines that fit.
func printFlags(w io.Writer, f *flag.FlagSet) {
	f.VisitAll(func(each *flag.Flag) { fmt.Fprint(w, flagHelp(each)) })
}

// flagHelp is what package flag prints of a flag, in lines that fit.
func flagHelp(f *flag.Flag) string {
	argument, text := flag.UnquoteUsage(f)
	switch f.DefValue {
	case "", "0", "0s", "false":
	default:
		if !strings.Contains(text, "(default") {
			text += fmt.Sprintf(" (default %s)", f.DefValue)
		}
	}
	head := strings.TrimRight("  -"+f.Name+" "+argument, " ")
	const column = 28
	if len([]rune(head)) < column-1 {
		head += strings.Repeat(" ", column-len([]rune(head)))
	} else {
		head += "\n" + strings.Repeat(" ", column)
	}
	return head + strings.TrimLeft(filled(text, strings.Repeat(" ", column)), " ")
}

// filled is text in lines of helpWidth at most, each after an indent.
func filled(text, indent string) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len([]rune(line))+1+len([]rune(word)) > helpWidth && line != indent {
			b.WriteString(line + "\n")
			line = indent
		}
		if line != indent {
			line += " "
		}
		line += word
	}
	return b.String() + line + "\n"
}
