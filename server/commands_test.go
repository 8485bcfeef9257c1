package main

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// command finds commands of this repository in pages: what to run, and with what.
var command = regexp.MustCompile("go run \\./(server|loadtest)((?: [^\\s`#|]+)*)")

// TestCommandsHaveTheirFlags asks each program that pages name for its -help, and looks
// there for the flags that they give it.
func TestCommandsHaveTheirFlags(t *testing.T) {
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "./", "../loadtest").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	helps := make(map[string]string) // of program and subcommand
	found := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && slices.Contains(append(notOurs, "results"), entry.Name()): // those say what was run then
			return filepath.SkipDir
		case filepath.Ext(path) != ".md":
			return nil
		}
		text, err := os.ReadFile(path)
		for _, m := range command.FindAllStringSubmatch(string(text), -1) {
			found++
			program, words := m[1], strings.Fields(m[2])
			if len(words) > 0 && regexp.MustCompile(`^[a-z][a-z-]+$`).MatchString(words[0]) {
				program += " " + words[0]
			}
			if helps[program] == "" {
				helps[program] = helpOf(t, bin, program)
			}
			for _, flag := range flagsAmong(words) {
				if !regexp.MustCompile(`(?m)^\s+` + regexp.QuoteMeta(flag) + `\b`).MatchString(helps[program]) {
					t.Errorf("%s: %q: %s -help has no %s", path, m[0], program, flag)
				}
			}
		}
		return err
	})
	if err != nil || found == 0 {
		t.Errorf("WalkDir = %v with %d commands, want some", err, found)
	}
}

// helpOf is what a program says of its flags. Some subcommands take those of the program,
// too, and say so by "loadtest -help".
func helpOf(t *testing.T, bin, program string) string {
	words := strings.Fields(program)
	out, err := exec.Command(filepath.Join(bin, words[0]), append(words[1:], "-help")...).CombinedOutput()
	if err != nil {
		t.Errorf("%s -help: %v\n%s", program, err, out)
	}
	if name, _, isSub := strings.Cut(program, " "); isSub && strings.Contains(string(out), name+" -help") {
		return string(out) + helpOf(t, bin, name)
	}
	return string(out)
}

// flagsAmong are the names of flags, up to "--" and to what the shell runs itself.
func flagsAmong(words []string) (flags []string) {
	for _, word := range words {
		if word == "--" || strings.Contains(word, "$(") {
			break
		}
		if name, _, _ := strings.Cut(word, "="); regexp.MustCompile(`^-[a-z]`).MatchString(name) && name != "-help" {
			flags = append(flags, strings.TrimRight(name, ".,:;)"))
		}
	}
	return flags
}
