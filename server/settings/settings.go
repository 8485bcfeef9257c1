// Package settings sets the flags of a program by what is nearest to whoever runs it:
// the command line, else the environment, else a file, else the default. Each has the
// same names: -max-conns, ROOST_MAX_CONNS and max-conns.
//
// A FlagSet and its Values are for one goroutine at a time.
package settings

import (
	"bytes"
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// fileFlag is the flag of the file that has values for others.
const fileFlag = "config"

// A Program names its settings.
type Program struct {
	// Prefix begins the names of environment variables, such as ROOST_.
	Prefix string

	// Secrets are flags that are refused on the command line, which every user of the
	// host can see. They are masked in print.
	Secrets []string
}

// Values are settings, and where each comes from.
type Values struct {
	program Program
	flags   *flag.FlagSet
	from    map[string]string // by the name of a flag; none is the default
}

// Parse sets flags. It adds one, -config, for a YAML file of names and values; a list
// may stand for values that a flag has separated by commas. An empty variable counts as
// not set.
//
// The error names every value that was wrong, or is flag.ErrHelp, which [Values.Help]
// answers. A name without a flag is an error in the file; in the environment it may belong
// to another program (Kubernetes sets ROOST_PORT for a service called roost), so see
// [Values.Strange].
func (p Program) Parse(flags *flag.FlagSet, args []string) (*Values, error) {
	file := flags.String(fileFlag, "", "YAML `file` of settings, by the names of these flags. Flags come first, then the environment ("+
		p.Prefix+"MAX_CONNS for -max-conns), then the file")
	v := &Values{program: p, flags: flags, from: make(map[string]string)}
	if err := flags.Parse(args); err != nil {
		if !errors.Is(err, flag.ErrHelp) {
			err = fmt.Errorf("%w; see -help", Explain(flags, err))
		}
		return v, err
	}
	var errs []error
	flags.Visit(func(f *flag.Flag) {
		if slices.Contains(p.Secrets, f.Name) {
			errs = append(errs, fmt.Errorf("-%s: all users of this host see arguments: put it into %s, or into the file of -%s", f.Name, p.variable(f.Name), fileFlag))
		}
		v.from[f.Name] = "-" + f.Name
	})
	flags.VisitAll(func(f *flag.Flag) {
		name := p.variable(f.Name)
		if text := os.Getenv(name); text != "" {
			errs = append(errs, v.set(f.Name, text, name, name))
		}
	})
	if *file != "" {
		errs = append(errs, v.read(*file))
	}
	return v, errors.Join(errs...)
}

// Explain adds to an error of flags.Parse which flag was meant, or what the flag takes.
func Explain(flags *flag.FlagSet, err error) error {
	if name, unknown := strings.CutPrefix(err.Error(), "flag provided but not defined: -"); unknown {
		return fmt.Errorf("no flag -%s%s", name, meant("-", nearest(flags, name)))
	}
	flags.VisitAll(func(f *flag.Flag) {
		if want := wanted(f); want != "" && strings.Contains(err.Error(), "for flag -"+f.Name+": ") {
			err = fmt.Errorf("%w: want %s", err, want)
		}
	})
	return err
}

// wanted describes the values that a flag takes, "" if its own error does.
func wanted(f *flag.Flag) string {
	value, ok := f.Value.(flag.Getter)
	if !ok {
		return ""
	}
	switch value.Get().(type) {
	case int, int64, uint, uint64, float64:
		return "a number such as 1000"
	case time.Duration:
		return "a time such as 500ms, 10s or 1h"
	case bool:
		return "true or false"
	case *slog.Level:
		return "debug, info, warn or error"
	}
	return ""
}

func (p Program) variable(name string) string {
	return p.Prefix + strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
}

// set sets a flag that nothing nearer has set. at is where the value is in the words of
// an error.
func (v *Values) set(name, text, from, at string) error {
	if v.from[name] != "" {
		return nil
	}
	f := v.flags.Lookup(name)
	if err := f.Value.Set(text); err != nil {
		switch want := wanted(f); {
		case slices.Contains(v.program.Secrets, name):
			return fmt.Errorf("%s: cannot be used", at)
		case want != "":
			return fmt.Errorf("%s is %q: want %s", at, text, want)
		}
		return fmt.Errorf("%s is %q: %w", at, text, err)
	}
	v.from[name] = from
	return nil
}

// largestFile is how many bytes a file of settings has at most.
const largestFile = 1 << 20

// read sets what a file has.
func (v *Values) read(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("-%s: %w", fileFlag, err)
	}
	defer file.Close()
	var doc, more yaml.Node
	text, err := io.ReadAll(io.LimitReader(file, largestFile+1))
	switch {
	case err != nil:
		return fmt.Errorf("-%s: %w", fileFlag, err)
	case len(text) > largestFile:
		return fmt.Errorf("%s: has more than %d bytes", path, largestFile)
	}
	lines := yaml.NewDecoder(bytes.NewReader(text))
	switch err := lines.Decode(&doc); {
	case errors.Is(err, io.EOF): // it is empty
		return nil
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case lines.Decode(&more) != io.EOF:
		return fmt.Errorf("%s: want one document of names and values", path)
	case doc.Content[0].Kind != yaml.MappingNode:
		return fmt.Errorf("%s:%d: want names and values, such as addr: 127.0.0.1:4000", path, doc.Content[0].Line)
	}
	var errs []error
	seen := make(map[string]int) // lines
	pairs := doc.Content[0].Content
	for i := 0; i < len(pairs); i += 2 {
		name, at := pairs[i].Value, fmt.Sprintf("%s:%d: %s", path, pairs[i].Line, pairs[i].Value)
		text, ok := textOf(pairs[i+1])
		switch {
		case v.flags.Lookup(name) == nil || name == fileFlag:
			errs = append(errs, fmt.Errorf("%s: no such setting%s", at, meant("", nearest(v.flags, name))))
		case seen[name] != 0:
			errs = append(errs, fmt.Errorf("%s: is in line %d already", at, seen[name]))
		case !ok:
			errs = append(errs, fmt.Errorf("%s: want a value, or a list of them; leave it out for the default", at))
		default:
			errs = append(errs, v.set(name, text, fmt.Sprintf("%s:%d", path, pairs[i].Line), at))
		}
		seen[name] = pairs[i].Line
	}
	return errors.Join(errs...)
}

// textOf is a value as a flag takes it.
func textOf(n *yaml.Node) (string, bool) {
	switch {
	case n.Kind == yaml.ScalarNode && n.Tag != "!!null":
		return n.Value, true
	case n.Kind != yaml.SequenceNode || len(n.Content) == 0:
		return "", false
	}
	var texts []string
	for _, each := range n.Content {
		if each.Kind != yaml.ScalarNode {
			return "", false
		}
		texts = append(texts, each.Value)
	}
	return strings.Join(texts, ","), true
}

// meant returns the end of a sentence about an unknown name.
func meant(prefix, nearest string) string {
	if nearest == "" {
		return ""
	}
	return fmt.Sprintf(": did you mean %s%s?", prefix, nearest)
}

// nearest is the setting whose name somebody may have mistyped, "" if none is like it.
func nearest(flags *flag.FlagSet, name string) (best string) {
	least := 1 + len(name)/4
	flags.VisitAll(func(f *flag.Flag) {
		if d := distance(name, f.Name); d <= least && f.Name != fileFlag {
			best, least = f.Name, d-1
		}
	})
	return best
}

// distance is how many letters have to be changed, put in or left out (Levenshtein).
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		diagonal := row[0]
		row[0] = i + 1
		for j := range b {
			change := diagonal
			if a[i] != b[j] {
				change++
			}
			diagonal, row[j+1] = row[j+1], min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}

// Strange are variables of the environment that look like mistyped settings, each as a
// sentence.
func (v *Values) Strange() (sentences []string) {
	for _, pair := range os.Environ() {
		name, _, _ := strings.Cut(pair, "=")
		short, ours := strings.CutPrefix(name, v.program.Prefix)
		short = strings.ToLower(strings.ReplaceAll(short, "_", "-"))
		if !ours || v.flags.Lookup(short) != nil {
			continue
		}
		if nearest := nearest(v.flags, short); nearest != "" {
			sentences = append(sentences, name+" is no setting"+meant("", v.program.variable(nearest)))
		}
	}
	slices.Sort(sentences)
	return sentences
}

// From is where a setting comes from, such as ROOST_ADDR; "" is the default.
func (v *Values) From(name string) string { return v.from[name] }

// Texts are all settings as they are, by name. Secrets among them are not masked.
func (v *Values) Texts() map[string]string {
	texts := make(map[string]string)
	v.flags.VisitAll(func(f *flag.Flag) { texts[f.Name] = f.Value.String() })
	return texts
}

// Print writes all settings as a file that sets them, with where each comes from as a
// comment. Secrets are masked, and passwords of URLs.
func (v *Values) Print(w io.Writer) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	v.flags.VisitAll(func(f *flag.Flag) {
		if f.Name == fileFlag {
			return
		}
		value := &yaml.Node{LineComment: "# " + cmp.Or(v.from[f.Name], "default")}
		value.SetString(v.masked(f))
		if get, ok := f.Value.(flag.Getter); ok {
			switch get.Get().(type) {
			case int, bool:
				value.Tag, value.Style = "", 0 // no quotes
			}
		}
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: f.Name}, value)
	})
	e := yaml.NewEncoder(w)
	if err := e.Encode(doc); err != nil {
		return err
	}
	return e.Close()
}

const hidden = "[FILTERED]"

func (v *Values) masked(f *flag.Flag) string {
	text := f.Value.String()
	if text != "" && slices.Contains(v.program.Secrets, f.Name) {
		return hidden
	}
	at := strings.LastIndex(text, "@")
	if at < 0 {
		return text
	}
	scheme, _, ok := strings.Cut(text[:at], "://") // user and password are behind it
	if ok {
		scheme += "://"
	} else {
		scheme = ""
	}
	return scheme + hidden + text[at:]
}
