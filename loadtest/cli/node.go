package cli

import (
	"debug/buildinfo"
	"fmt"
	"runtime/debug"
)

// nodePath is the package of programs that -node takes.
const nodePath = "github.com/roost-rt/roost/loadtest/node"

// checkNode reports a program that is not the server named in the records. "" means no
// program.
func checkNode(program string) error {
	if program == "" {
		return nil
	}
	info, err := buildinfo.ReadFile(program)
	switch {
	case err != nil:
		return fmt.Errorf("-node: %w", err)
	case info.Path != nodePath:
		return fmt.Errorf("-node %s: it is %q: build it by CGO_ENABLED=0 go build -o %s ./loadtest/node; for servers other than Roost there is -server", program, info.Path, program)
	}
	own, ok := debug.ReadBuildInfo()
	if !ok {
		return nil
	}
	if is, want := Stamped(info.Settings), Stamped(own.Settings); is != "" && want != "" && is != want {
		return fmt.Errorf("-node %s: it was built from commit %s, this program from %s: build both from the same", program, is, want)
	}
	return nil
}
