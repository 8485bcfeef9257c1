package cli

import (
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/peterbourgon/ff/v3"

	"github.com/roost-rt/roost/loadtest/scenarios"
)

// A scenarioFile is a run in a file: a flag without its dash and its value on each
// line, "scenario" among them, and comments that begin with #.
type scenarioFile struct {
	name   string
	values map[string]string
	order  []string
}

// isScenarioFile tells an argument that names a file from one that names a
// scenario.
func isScenarioFile(arg string) bool { return strings.HasSuffix(arg, ".conf") }

// readScenarioFile reads a file, or the bundled one of that name if there is none.
func readScenarioFile(name string) (scenarioFile, error) {
	s := scenarioFile{name: name, values: make(map[string]string)}
	file, err := openScenarioFile(name)
	if err != nil {
		return s, err
	}
	defer file.Close()
	err = ff.PlainParser(file, func(flag, value string) error {
		if _, twice := s.values[flag]; twice {
			return fmt.Errorf("%s: %q is there twice", name, flag)
		}
		s.values[flag] = value
		s.order = append(s.order, flag)
		return nil
	})
	return s, err
}

func openScenarioFile(name string) (fs.File, error) {
	file, err := os.Open(name)
	if !errors.Is(err, fs.ErrNotExist) {
		return file, err
	}
	if own, err := scenarios.Files.Open(name); err == nil {
		return own, nil
	}
	return nil, fmt.Errorf("no file %s, and the program includes none of that name: its command list names them", name)
}

// apply sets what the command line has not.
func (s scenarioFile) apply(f *flag.FlagSet) error {
	given := make(map[string]bool)
	f.Visit(func(g *flag.Flag) { given[g.Name] = true })
	for _, name := range s.order {
		switch {
		case name == "scenario" || given[name]:
		case f.Lookup(name) == nil:
			return fmt.Errorf("%s: no flag %q", s.name, name)
		default:
			if err := f.Set(name, s.values[name]); err != nil {
				return fmt.Errorf("%s: %s %s: %w", s.name, name, s.values[name], err)
			}
		}
	}
	return nil
}

// listFiles names the bundled files, each with its first line.
func listFiles() error {
	files, err := fs.Glob(scenarios.Files, "*.conf")
	if err != nil {
		return err
	}
	for _, file := range files {
		text, err := fs.ReadFile(scenarios.Files, file)
		if err != nil {
			return err
		}
		first, _, _ := strings.Cut(string(text), "\n")
		fmt.Printf("  %-20s %s\n", file, strings.TrimPrefix(first, "# "))
	}
	return nil
}
