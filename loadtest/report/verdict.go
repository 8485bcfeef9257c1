package report

import (
	"fmt"

	"github.com/roost-rt/roost/loadtest/record"
)

// Verdict says whether every client asked for joined, every broadcast reached
// each joined client once and in order, no queue grew all the while, no client had an
// error, the scenario reached its aim, such as that all clients that were cut off are
// back, and every threshold was met. Reasons are sentences without a full stop: they say
// what is missing, and that a run was interrupted, which alone does not make it fail.
func Verdict(s Summary) (ok bool, reasons []string) {
	reasons = s.faults()
	if !s.complete() {
		return false, reasons
	}
	if reason := s.thresholdFault(); reason != "" {
		reasons = append(reasons, reason)
	}
	ok = len(reasons) == 0
	if s.Interrupted {
		reasons = append(reasons, "interrupted: the figures cover the run so far")
	}
	return ok, reasons
}

// faults returns the faults of the checks.
func (s Summary) faults() (list []string) {
	for _, c := range s.checks() {
		if c.Fault != "" {
			list = append(list, c.Fault)
		}
	}
	return list
}

// A check is something that every run has to come to.
type check struct {
	Name  string
	Fault string // a sentence without a full stop; "" if there is none
}

// checks returns the checks of the verdict, except thresholds.
func (s Summary) checks() (list []check) {
	add := func(name string, fails bool, format string, args ...any) {
		c := check{Name: name}
		if fails {
			c.Fault = fmt.Sprintf(format, args...)
		}
		list = append(list, c)
	}
	if !s.complete() {
		add("the run ended", true, "the records stop before the end of the run: there are no totals")
		return list
	}
	amidConnects := s.Interrupted && s.Shortfall == nil && len(s.Errors) == 0 // stopped by hand
	add("all clients joined", *s.Joined < *s.Clients && !amidConnects, "%s of %s clients joined", count(*s.Joined), count(*s.Clients))
	if s.Shortfall != nil {
		add("no limit was hit", true, "%s", stoppedBy(s.Shortfall))
	}
	add("all messages delivered", *s.Delivered != *s.Expected, "%s of %s messages delivered", count(*s.Delivered), count(*s.Expected))
	add("none lost", *s.Lost > 0, "%s lost", count(*s.Lost))
	add("everything received was readable", s.Unreadable > 0, "%s received, unreadable", count(s.Unreadable))
	add("none duplicated", *s.Duplicated > 0, "%s duplicated", count(*s.Duplicated))
	add("none reordered", *s.Reordered > 0, "%s reordered", count(*s.Reordered))
	add("no queue grew", s.Queue != nil, "%s", s.Queue)
	erred := s.erred()
	add("no errors", erred != "", "%s", erred)
	failed := s.stepsFailed()
	add("no step failed", failed != "", "%s", failed)
	if lacks := s.lacks(); !s.Interrupted { // what is cut short need not have come to anything
		add("the scenario did what it is for", lacks != "", "%s", lacks)
	}
	return list
}

func (s Summary) whoJoined() string {
	if *s.Joined < *s.Clients {
		return fmt.Sprintf("%s of %s clients had joined", count(*s.Joined), count(*s.Clients))
	}
	return fmt.Sprintf("all %s clients joined", count(*s.Joined))
}

// stoppedBy names the limit, and what to do about it.
func stoppedBy(f *record.Shortfall) string {
	if f.Limit == "" {
		return "the cause of the stop is unknown: " + f.Evidence + "; if it is the server's host, run roost doctor there"
	}
	text := fmt.Sprintf("stopped at %s clients by %s", count(f.Clients), f.Limit)
	if f.Scope != "" {
		text += fmt.Sprintf(" (%s)", f.Scope)
	}
	text += ": " + f.Evidence
	if f.Fix != "" {
		text += "; to go on, " + f.Fix
	}
	return text
}

// receivers are the clients that messages are owed to.
func (s Summary) receivers() string {
	switch {
	case s.Slow == nil:
		return count(*s.Joined) + " clients"
	case s.Slow.Stalled == nil:
		return "those of " + count(*s.Joined) + " clients that read"
	}
	return "the " + count(*s.Joined-*s.Slow.Stalled) + " clients that read"
}

// headline is the verdict in one sentence; the reasons say what failed.
func headline(s Summary) string {
	ok, _ := Verdict(s)
	switch {
	case !ok:
		return "Failed"
	case s.Interrupted && (!s.broadcasts() || *s.Expected == 0):
		return "Ended early; " + s.whoJoined()
	case s.Interrupted:
		return fmt.Sprintf("Ended early; everything sent by then was delivered: %s messages to %s", count(*s.Delivered), s.receivers())
	}
	for _, k := range kinds() {
		if k.headline != nil {
			if text := k.headline(s); text != "" {
				return text
			}
		}
	}
	if *s.Expected == 0 {
		return fmt.Sprintf("All %s clients joined; nothing was broadcast", count(*s.Joined))
	}
	text := fmt.Sprintf("All delivered: %s messages to %s, each once and in order", count(*s.Delivered), s.receivers())
	if s.missed() > 0 {
		text += fmt.Sprintf(", except %s missed while away", count(s.missed()))
	}
	for _, k := range kinds() {
		if k.after != nil {
			text += k.after(s)
		}
		if k.before != nil {
			text = k.before(s) + text
		}
	}
	return text
}
