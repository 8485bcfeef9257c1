package main

import (
	"os/exec"
	"runtime/debug"
	"strings"
)

// commit names the source: by git where it is run from, else by what the go
// command put into the binary.
func commit() string {
	if head, err := exec.Command("git", "rev-parse", "HEAD").Output(); err == nil {
		name := strings.TrimSpace(string(head))
		if status, err := exec.Command("git", "status", "--porcelain").Output(); err == nil && len(status) > 0 {
			name += "+dirty"
		}
		return name
	}
	info, _ := debug.ReadBuildInfo()
	if info == nil {
		return "unknown"
	}
	revision, modified := "unknown", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			modified = "+dirty"
		}
	}
	return revision + modified
}
