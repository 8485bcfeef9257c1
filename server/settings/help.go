package settings

import (
	"flag"
	"fmt"
	"io"
	"strings"
)

// A Group is flags by what they are for.
type Group struct{ Title, Flags string } // names with blanks between them

// width is how long a line of help is at most, and column where it says what for.
const width, column = 100, 28

// Help is [Help] for all flags.
func (v *Values) Help(w io.Writer, groups []Group) {
	Help(w, v.flags, groups, func(string) bool { return true })
}

// Help writes what flags are for, in groups. A name for which shows is false is left
// out, and a group without any.
func Help(w io.Writer, flags *flag.FlagSet, groups []Group, shows func(name string) bool) {
	for _, g := range groups {
		var texts strings.Builder
		for name := range strings.FieldsSeq(g.Flags) {
			if shows(name) {
				texts.WriteString(flagHelp(flags.Lookup(name)))
			}
		}
		if texts.Len() > 0 {
			fmt.Fprintf(w, "\n%s:\n%s", g.Title, texts.String())
		}
	}
}

// PrintDefaults is flag.PrintDefaults in lines that fit.
func PrintDefaults(w io.Writer, flags *flag.FlagSet) {
	flags.VisitAll(func(f *flag.Flag) { fmt.Fprint(w, flagHelp(f)) })
}

// flagHelp returns the help of package flag for a flag, in lines that fit.
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
	if len([]rune(head)) < column-1 {
		head += strings.Repeat(" ", column-len([]rune(head)))
	} else {
		head += "\n" + strings.Repeat(" ", column)
	}
	return head + strings.TrimLeft(Filled(text, strings.Repeat(" ", column)), " ")
}

// Filled is text in lines of 100 columns at most, each after an indent.
func Filled(text, indent string) string {
	var b strings.Builder
	line := indent
	for word := range strings.FieldsSeq(text) {
		if len([]rune(line))+1+len([]rune(word)) > width && line != indent {
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
