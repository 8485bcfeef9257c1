package cli

import (
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/roost-rt/roost/loadtest/record"
)

// A Program is the program through which people call the load generator. The zero value
// is loadtest, which does nothing else.
type Program struct {
	// Parent is a program of several commands. It has the load generator as bench,
	// and those of [Beside] as commands of its own. Empty means none.
	Parent string
}

// Beside are the commands of the load generator that a parent has beside bench.
func Beside() []string { return []string{"capacity", "compare", "doctor", "plan", "tune"} }

// Commands returns the commands of bench.
func Commands() []string {
	return []string{"agent", "check", "compare-servers", "knee", "list", "report"}
}

// name returns the words by which people call a command; "" stands for a run.
func (p Program) name(command string) string {
	switch {
	case p.Parent == "":
		return strings.TrimSuffix("loadtest "+command, " ")
	case slices.Contains(Beside(), command):
		return p.Parent + " " + command
	default:
		return strings.TrimSuffix(p.Parent+" bench "+command, " ")
	}
}

// help is a text for people, in which commands are those that they can call.
func (p Program) help(text string) string {
	if p.Parent == "" {
		return text
	}
	called := regexp.MustCompile(`(?:go run \./)?\b[Ll]oadtest ([a-z-]*)`)
	return called.ReplaceAllStringFunc(text, func(call string) string {
		command := called.FindStringSubmatch(call)[1]
		if command == "" {
			return p.name("") + " "
		}
		return p.name(command)
	})
}

// self is the command of a process that is this program, too.
func (p Program) self(args ...string) ([]string, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	if p.Parent != "" {
		return append([]string{path, "bench"}, args...), nil
	}
	return append([]string{path}, args...), nil
}

// misused reports wrong arguments of a command.
func (p Program) misused(stderr io.Writer, command string, err error) int {
	fmt.Fprintf(stderr, "%s: %s; see -help\n", p.name(command), record.Masked(err.Error()))
	return exitUsage
}

// failed reports why a command could not do what it was asked for.
func (p Program) failed(stderr io.Writer, command string, err error) int {
	fmt.Fprintf(stderr, "%s: %s\n", p.name(command), record.Masked(err.Error()))
	return exitBroken
}
