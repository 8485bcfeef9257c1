package main

import (
	"cmp"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/roost-rt/roost/loadtest/cli"
)

// version names what was built: the version of the module, the commit where the go
// command knew it, and Go's own.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = new(debug.BuildInfo)
	}
	text := "roost " + cmp.Or(info.Main.Version, "(devel)") + "\n"
	if commit := cli.Stamped(info.Settings); commit != "" {
		text += "commit " + commit + "\n"
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.time" {
			text += "of " + s.Value + "\n"
		}
	}
	return text + fmt.Sprintf("%s %s/%s\n", runtime.Version(), runtime.GOOS, runtime.GOARCH)
}
