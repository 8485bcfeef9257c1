package cli

import (
	"os/exec"
	"runtime/debug"
	"strings"
)

// commit names the source: by what the go command put into the binary, else, as
// for "go run", by git where it is run from, which may be any repository.
func commit() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		if name := Stamped(info.Settings); name != "" {
			return name
		}
	}
	head, err := exec.Command("git", "rev-parse", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	name := strings.TrimSpace(string(head))
	if status, err := exec.Command("git", "status", "--porcelain").Output(); err == nil && len(status) > 0 {
		name += dirty
	}
	return name
}

// dirty marks a commit with changes.
const dirty = "+dirty"

// Stamped is the commit of a build, with "+dirty" if there were changes, and "" if the
// go command did not say.
func Stamped(settings []debug.BuildSetting) string {
	revision, modified := "", ""
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = dirty
		}
	}
	if revision == "" {
		return ""
	}
	return revision + modified
}
