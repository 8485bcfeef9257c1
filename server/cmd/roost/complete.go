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

// flagsOf are the flags that the help of a command names, each with a tab and the
// first line of what it is for. So nothing is said twice. The help is asked of a
// process of its own, as commands write to the standard streams.
func flagsOf(command []string, dashes string) (flags []string) {
	self, err := os.Executable()
	if err != nil {
		return nil // who completes has nobody to say it to
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
