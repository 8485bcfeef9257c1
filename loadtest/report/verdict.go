package report

import "fmt"

// Verdict says whether every client asked for joined and every broadcast
// reached each joined client once and in order. Reasons are sentences without
// a full stop: what is missing, and that a run was interrupted, which alone
// does not make it fail.
func Verdict(s Summary) (ok bool, reasons []string) {
	if !s.complete() {
		return false, []string{"the records stop before the end of the run: there are no totals"}
	}
	fail := func(format string, args ...any) { reasons = append(reasons, fmt.Sprintf(format, args...)) }
	if *s.Joined < *s.Clients {
		fail("%s of %s clients joined", count(*s.Joined), count(*s.Clients))
	}
	if *s.Delivered != *s.Expected {
		fail("%s of %s messages delivered", count(*s.Delivered), count(*s.Expected))
	}
	for _, fault := range []struct {
		name  string
		count int64
	}{
		{"lost", *s.Lost}, {"duplicated", *s.Duplicated}, {"reordered", *s.Reordered},
	} {
		if fault.count > 0 {
			fail("%s %s", count(fault.count), fault.name)
		}
	}
	ok = len(reasons) == 0
	if s.Interrupted {
		fail("interrupted: the figures hold for what was done so far")
	}
	return ok, reasons
}

// headline is the verdict in one sentence; the reasons say what failed.
func headline(s Summary) string {
	ok, _ := Verdict(s)
	switch {
	case !ok:
		return "Failed"
	case s.Interrupted:
		return fmt.Sprintf("Ended early; what was sent by then was all delivered: %s messages to %s clients", count(*s.Delivered), count(*s.Joined))
	case *s.Expected == 0:
		return fmt.Sprintf("All %s clients joined; nothing was broadcast", count(*s.Joined))
	}
	return fmt.Sprintf("All delivered: %s messages to %s clients, each once and in order", count(*s.Delivered), count(*s.Joined))
}
