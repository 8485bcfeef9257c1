package kernel

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteText writes a table for people, the first limit, and what to do.
func (rep Report) WriteText(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s clients, %s\n\n", rep.Clients, rep.question())
	t := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "LIMIT\tNOW\tNEEDED\tCLIENTS\tSCOPE\tVERDICT\tREASON")
	for _, l := range rep.Limits {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", l.Name, l.amount(l.Now), l.amount(l.Needed), l.fits(), l.Scope, l.Verdict, l.Reason)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	b.WriteString("\n" + rep.firstSentence() + "\n")
	if advice := rep.advice(); len(advice) > 0 {
		b.WriteString("\nWhat to do:\n")
		for _, line := range advice {
			b.WriteString("  " + line + "\n")
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// question says what the report is about, and how to ask for the other thing: a
// host that is enough for the servers may be too small for both.
func (rep Report) question() string {
	if !rep.SameHost {
		return fmt.Sprintf("the servers here, clients elsewhere (-same-host: both here); server processes: %s", rep.ServerProcesses)
	}
	return fmt.Sprintf("servers and clients both here (without -same-host: the servers alone); server processes: %s, client processes: %s",
		rep.ServerProcesses, rep.ClientProcesses)
}

func (rep Report) firstSentence() string {
	switch first := rep.First; {
	case first == nil:
		return "No limit is known."
	case rep.Enough:
		return fmt.Sprintf("Enough for %s clients. The first limit is %s (%s), at %s.", rep.Clients, first.Name, first.Scope, first.Clients)
	default:
		return fmt.Sprintf("First limit: %s (%s), at %s clients. Asked for: %s.", first.Name, first.Scope, first.Clients, rep.Clients)
	}
}

// Refusal says why the clients asked for are too many, "" if they are not.
func (rep Report) Refusal() string {
	if rep.Enough {
		return ""
	}
	f := rep.First
	return fmt.Sprintf("%s (%s) is enough for %s: it is %s, %s is needed; %s", f.Name, f.Scope, f.Clients, f.amount(f.Now), f.amount(f.Needed), f.Fix)
}

// advice is what to change, the stops first.
func (rep Report) advice() (lines []string) {
	for _, v := range []Verdict{Stop, Slow} {
		for _, l := range rep.Limits {
			if l.Verdict == v {
				lines = append(lines, fmt.Sprintf("%-5s  %s: %s", v, l.Name, l.Fix))
			}
		}
	}
	if rep.tunable() {
		lines = append(lines, fmt.Sprintf("\"loadtest tune diff -clients %d\" shows the sysctls for both ends here, \"tune apply\" sets them, \"tune rollback\" takes them back", int64(rep.Clients)))
	}
	return lines
}

// tunable says that tune could raise something that is too low.
func (rep Report) tunable() bool {
	for _, l := range rep.Limits {
		for _, s := range Settings(rep.Clients) {
			if s.Key == l.Name && (l.Verdict == Stop || l.Verdict == Slow) {
				return true
			}
		}
	}
	return false
}

func (l Limit) amount(n Count) string {
	switch {
	case l.Unit == "bytes":
		return bytes(n)
	case l.Unit == "s" && n.known():
		return n.String() + " s"
	}
	return n.String()
}

func (l Limit) fits() string {
	if l.Verdict == Note {
		return "-"
	}
	return l.Clients.String()
}

// bytes writes 8303 as 8.3 KB and 12 billion as 12.0 GB.
func bytes(n Count) string {
	if n == Unlimited || n < 0 {
		return n.String()
	}
	unit := "B"
	f := float64(n)
	for _, next := range []string{"KB", "MB", "GB", "TB"} {
		if f < 999.95 {
			break
		}
		f, unit = f/1000, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", int64(n))
	}
	return fmt.Sprintf("%.1f %s", f, unit)
}
