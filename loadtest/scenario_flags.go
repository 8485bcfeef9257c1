package main

import (
	"flag"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/plan"
)

// scenariosOf are the scenarios in which a flag does something; nil is all.
func scenariosOf(name string) (list []plan.Scenario) {
	for _, s := range plan.Scenarios() {
		if slices.Contains(s.Flags(), name) {
			list = append(list, s)
		}
	}
	return list
}

func fits(name string, s plan.Scenario) bool {
	of := scenariosOf(name)
	return of == nil || slices.Contains(of, s)
}

// idleFlags are sentences about the flags given that do nothing in a scenario.
func idleFlags(f *flag.FlagSet, s plan.Scenario) (sentences []string) {
	f.Visit(func(given *flag.Flag) {
		if !fits(given.Name, s) {
			var of []string
			for _, other := range scenariosOf(given.Name) {
				of = append(of, string(other))
			}
			sentences = append(sentences, fmt.Sprintf("-%s does nothing in %s, only in %s", given.Name, s, strings.Join(of, ", ")))
		}
	})
	return sentences
}

// checkZeros finds flags that were set to nothing, where leaving them out would
// mean the default: it is not what they say.
func checkZeros(f *flag.FlagSet) (err error) {
	f.Visit(func(given *flag.Flag) {
		switch given.Name {
		case "connect-rate", "timeout", "server-pid": // no bound, none
			return
		}
		if v := given.Value.String(); v == "0" || v == "0s" {
			err = fmt.Errorf("-%s is %s: leave it out for the default", given.Name, v)
		}
	})
	return err
}

// printHelp is what -help shows: all flags, or those of the scenario that was
// asked about.
func printHelp(w io.Writer, f *flag.FlagSet, asked plan.Scenario) {
	if asked == "" {
		fmt.Fprint(w, usage)
		f.SetOutput(w)
		f.PrintDefaults()
		return
	}
	fmt.Fprintf(w, "usage: loadtest %s [flags]\n\nAll clients join; then %s.\n\nflags:\n", asked, asked.Says())
	of := flag.NewFlagSet(string(asked), flag.ContinueOnError)
	of.SetOutput(w)
	f.VisitAll(func(each *flag.Flag) {
		if fits(each.Name, asked) {
			of.Var(each.Value, each.Name, each.Usage)
			of.Lookup(each.Name).DefValue = each.DefValue
		}
	})
	of.PrintDefaults()
}
