package main

import (
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// flagLine is a line of help that begins with a flag.
var flagLine = regexp.MustCompile(`(?m)^  -([a-z][a-z0-9-]*)(?: (?:'[^']*'|\S+))?(?:\s+(.*))?$`)

// flagsOf returns the flags that the help of a command names, each with a tab and the
// first line of its text. So nothing is said twice. A process of its own prints the
// help, because commands write to the standard streams.
func flagsOf(command []string, dashes string) (flags []string) {
	self, err := os.Executable()
	if err != nil {
		return nil // completion has nowhere to report it
	}
	if at := slices.IndexFunc(command, func(word string) bool { return strings.HasPrefix(word, "-") }); at >= 0 {
		command = command[:at] // what follows is of a flag
	}
	help, _ := exec.Command(self, append(slices.Clone(command), "-help")...).CombinedOutput() // whatever it says
	for _, line := range flagLine.FindAllSubmatch(help, -1) {
		flags = append(flags, dashes+string(line[1])+"\t"+string(line[2]))
	}
	return flags
}
