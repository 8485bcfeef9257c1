package kernel

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"
)

// columns is the width of a terminal that all lines fit.
const columns = 100

// A section is limits of a kind, in a table of its own: so each column means one
// thing.
type section struct {
	title string
	fits  string // heading of the last number; "" for none
	of    func(Limit) bool
	all   bool // shown only with all
}

var sections = []section{
	{"In the way", "CLIENTS AT MOST", func(l Limit) bool { return l.Verdict == Stop }, false},
	{"Slow", "SLOW BEYOND", func(l Limit) bool { return l.Verdict == Slow }, false},
	{"Enough", "CLIENTS AT MOST", func(l Limit) bool { return l.Verdict == OK && l.Stops }, true},
	{"Fast enough", "SLOW BEYOND", func(l Limit) bool { return l.Verdict == OK && !l.Stops }, true},
	{"No bound, or cannot be seen", "", func(l Limit) bool { return l.Verdict == Note }, true},
}

// WriteText writes what binds first, what slows, and what to do, for people; with
// all also what is enough.
func (rep Report) WriteText(w io.Writer, all bool) error {
	var b strings.Builder
	wrap(&b, "", rep.question())
	b.WriteString("\n")
	wrap(&b, "", rep.Sentence())
	hidden := 0
	for _, s := range sections {
		var list []Limit
		for _, l := range rep.Limits {
			if s.of(l) {
				list = append(list, l)
			}
		}
		switch {
		case s.all && !all:
			hidden += len(list)
		case len(list) > 0:
			s.write(&b, list)
		}
	}
	if rep.tunable() {
		b.WriteString("\n")
		wrap(&b, "", fmt.Sprintf("\"roost tune diff -role %s -clients %d\" shows the sysctls, \"tune apply\" sets them, \"tune rollback\" takes them back.", rep.role(), int64(rep.Clients)))
	}
	if hidden > 0 {
		fmt.Fprintf(&b, "\n%d more are enough or do not apply here: -all shows them.\n", hidden)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// write writes a table, what bites first first, with the reason and the fix of each
// limit below it.
func (s section) write(b *strings.Builder, list []Limit) {
	slices.SortStableFunc(list, func(l, m Limit) int { return cmp.Compare(l.Clients, m.Clients) })
	fmt.Fprintf(b, "\n%-36s %12s %13s %15s  %s\n", s.title, "NOW", "NEEDED", s.fits, "SCOPE")
	for _, l := range list {
		fits := ""
		if s.fits != "" {
			fits = l.Clients.String()
		}
		fmt.Fprintf(b, "  %-34s %12s %13s %15s  %s\n", l.Name, l.amount(l.Now), l.amount(l.Needed), fits, l.Scope)
		wrap(b, "      ", l.Reason)
		if l.Fix != "" {
			wrap(b, "      ", "To do: "+l.Fix)
		}
	}
}

// wrap writes a sentence in lines that begin with indent.
func wrap(b *strings.Builder, indent, sentence string) {
	line := indent
	for i, word := range strings.Fields(sentence) {
		switch {
		case i == 0:
			line += word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > columns:
			b.WriteString(line + "\n")
			line = indent + word
		default:
			line += " " + word
		}
	}
	b.WriteString(line + "\n")
}

// question says what the report is about: a host that is enough for the servers may
// be too small for both.
func (rep Report) question() string {
	text := fmt.Sprintf("%s clients, %s (-role: server, load or both)", rep.Clients, rep.role().Says())
	if rep.role() != Load {
		text += fmt.Sprintf("; server processes: %s", rep.ServerProcesses)
	}
	if rep.role() != Servers {
		text += fmt.Sprintf("; client processes: %s", rep.ClientProcesses)
	}
	return text
}

// role returns the role of the demand.
func (rep Report) role() Role { return Demand{SameHost: rep.SameHost, Remote: rep.Remote}.role() }

// Verdict returns the verdict of the worst limit: Stop, Slow or OK.
func (rep Report) Verdict() Verdict {
	for _, v := range []Verdict{Stop, Slow} {
		if slices.ContainsFunc(rep.Limits, func(l Limit) bool { return l.Verdict == v }) {
			return v
		}
	}
	return OK
}

// Sentence is the verdict for people.
func (rep Report) Sentence() string {
	first := "No limit is known"
	if rep.First != nil {
		first = fmt.Sprintf("The first limit is %s (%s), at %s", rep.First.Name, rep.First.Scope, rep.First.Clients)
	}
	switch rep.Verdict() {
	case Stop:
		return fmt.Sprintf("First limit: %s (%s), at %s clients. Asked for: %s.", rep.First.Name, rep.First.Scope, rep.First.Clients, rep.Clients)
	case Slow:
		var names []string
		for _, l := range rep.Limits {
			if l.Verdict == Slow {
				names = append(names, l.Name)
			}
		}
		return fmt.Sprintf("All %s clients can connect, but lose time because of %s. %s.", rep.Clients, strings.Join(names, ", "), first)
	}
	return fmt.Sprintf("Enough for %s clients. %s.", rep.Clients, first)
}

// Refusal says why the clients asked for are too many, "" if they are not.
func (rep Report) Refusal() string {
	if rep.Enough {
		return ""
	}
	f := rep.First
	return fmt.Sprintf("%s (%s) is enough for %s: it is %s, %s is needed; %s", f.Name, f.Scope, f.Clients, f.amount(f.Now), f.amount(f.Needed), f.Fix)
}

// tunable says that tune could raise something that is too low.
func (rep Report) tunable() bool {
	for _, l := range rep.Limits {
		for _, s := range Settings(rep.role(), rep.Clients) {
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
