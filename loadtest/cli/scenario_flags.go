package cli

import (
	"cmp"
	"flag"
	"fmt"
	"maps"
	"math"
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

// checkIdle finds a flag that was given and does nothing: in the scenario, or beside
// another flag.
func (o options) checkIdle(f *flag.FlagSet) error {
	given := make(map[string]bool)
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	s := cmp.Or(o.config.Scenario, plan.Chat)
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if !fits(name, s) {
			var of []string
			for _, other := range scenariosOf(name) {
				of = append(of, string(other))
			}
			return fmt.Errorf("-%s has no effect in %s, only in %s: leave it out", name, s, strings.Join(of, ", "))
		}
		if why := o.idle(name, given); why != "" {
			return fmt.Errorf("-%s has no effect %s: leave it out", name, why)
		}
	}
	return nil
}

// idle is beside what a flag does nothing, "" if it does something.
func (o options) idle(name string, given map[string]bool) string {
	if o.script != "" && slices.Contains(scripted, name) {
		return "beside a scenario file, which says so itself"
	}
	elsewhere, raw := o.config.URL != "", o.config.Protocol == plan.Raw
	switch name {
	case "inflight":
		if given["rate"] {
			return "beside -rate, which sends whatever the answers do"
		}
	case "servers", "apart":
		if elsewhere {
			return "beside -url: no servers are started"
		}
	case "nats":
		switch {
		case elsewhere || o.server != "":
			return "except with our own servers"
		case o.config.Apart:
			return "beside -apart: there is no cluster"
		}
	case "node", "presence":
		if elsewhere || o.server != "" {
			return "except with our own servers"
		}
	case "one-room":
		if o.server == "" {
			return "without -server"
		}
	case "topic", "event":
		if raw {
			return "with -protocol raw: a plain WebSocket has neither"
		}
	}
	return ""
}

// checkNumbers finds numbers that are none, and flags that were set to nothing where
// leaving them out would mean the default: it is not what they say.
func checkNumbers(f *flag.FlagSet) (err error) {
	f.Visit(func(given *flag.Flag) {
		if g, ok := given.Value.(flag.Getter); ok {
			if n, ok := g.Get().(float64); ok && (math.IsNaN(n) || math.IsInf(n, 0)) {
				err = fmt.Errorf("-%s is %v: want a number such as 1000", given.Name, n)
			}
		}
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
