package report

import (
	"slices"

	"github.com/roost-rt/roost/loadtest/record"
)

// A kind is a scenario in a report: its results, and where they are shown. Fields that it
// leaves out are as in a chat, where clients broadcast. Each has a file of its own, and
// no other place names it.
//
// Kinds are asked whether or not the run was one of theirs: the records decide whether
// they have something to show.
type kind struct {
	name     string
	parts    []string // other activities that it shows
	silent   bool     // clients do not broadcast
	together bool     // broadcasts, if there are any, are not recorded one by one
	pings    bool     // clients push, and latencies are the replies'
	settings []string // of the configuration, that do something in it and not in all

	read        func(r *Result, s *Summary) error // puts what it comes to into the summary
	lacks       func(s Summary) string            // why it is nothing, "" if it is
	headline    func(s Summary) string            // instead of a chat's
	before      func(s Summary) string            // comes before that
	after       func(s Summary) string            // comes after it
	blocks      func(s Summary) []block
	cards       func(s Summary) []card // instead of a chat's
	lastCard    func(s Summary) *card  // instead of the last of those
	firstCharts func(r *Result) []chart
	charts      func(r *Result, t timeline) []chart
	events      func(a record.Activity) []event
}

// kinds are all that have something of their own, in the order in which it is
// shown.
func kinds() []kind {
	return []kind{echo, idle, storms, kills, churn, slow, burst, app, rooms, chat, long}
}

// Those that are shown as a chat is.
var (
	chat  = kind{name: "chat", settings: sending("rate")}
	rooms = kind{name: "rooms", settings: sending("rate", "rooms", "zipf")}
	long  = kind{name: soak, settings: sending("rate", "for_ns")}
)

// sending are the settings of a scenario in which clients broadcast, and more.
func sending(more ...string) []string {
	return append([]string{"messages", "writers", "late_ns", "event", "size", "drain_ns"}, more...)
}

// kindOf returns the kind of a scenario; a chat for one that is not known here.
func kindOf(scenario string) kind {
	for _, k := range kinds() {
		if k.name == scenario {
			return k
		}
	}
	return chat
}

// known says that an activity is shown by a kind.
func known(activity string) bool {
	return slices.ContainsFunc(kinds(), func(k kind) bool {
		return k.read != nil && (k.name == activity || slices.Contains(k.parts, activity))
	})
}

// broadcasts reports whether the scenario sends any.
func (s Summary) broadcasts() bool {
	k := kindOf(s.Scenario)
	return !k.silent && !(k.together && (s.Expected == nil || *s.Expected == 0))
}

// eachBroadcast reports whether they are recorded one by one.
func (s Summary) eachBroadcast() bool { return s.broadcasts() && !kindOf(s.Scenario).together }

// pings reports whether the scenario sends them.
func (s Summary) pings() bool { return kindOf(s.Scenario).pings }

// arrival names the event that ends a latency.
func (s Summary) arrival() string {
	if s.pings() {
		return "reply"
	}
	return "receipt"
}

// lacks says what the scenario itself lacks, "" if nothing.
func (s Summary) lacks() string {
	if lacks := kindOf(s.Scenario).lacks; lacks != nil {
		return lacks(s)
	}
	return ""
}
