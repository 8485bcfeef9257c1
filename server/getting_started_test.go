package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// block finds files and commands of a page, each with the mark before it.
var block = regexp.MustCompile("(?m)^(?:<!-- (.+) -->\n)?```([a-z]+)\n((?s:.*?))^```$")

// localModule stands for go get: it takes the module from this clone.
const localModule = `go() {
	if [[ $1 == get ]]; then
		command go mod edit -require github.com/roost-rt/roost@v0.0.0 -replace github.com/roost-rt/roost="$ROOST"
	else
		command go "$@"
	fi
}
set -e
`

// TestGettingStarted follows GETTING-STARTED.md in a folder of its own: it writes the
// files that the page shows, and runs the commands.
func TestGettingStarted(t *testing.T) {
	if testing.Short() {
		t.Skip("it builds three programs")
	}
	page, err := os.ReadFile("GETTING-STARTED.md")
	if err != nil {
		t.Fatal(err)
	}
	free := freeAddress(t)
	folder := t.TempDir()
	ran := 0
	for _, m := range block.FindAllStringSubmatch(string(page), -1) {
		mark, kind, text := m[1], m[2], strings.ReplaceAll(m[3], "127.0.0.1:4000", free)
		name, isFile := strings.CutPrefix(mark, "file: ")
		switch {
		case isFile:
			if err := os.WriteFile(filepath.Join(folder, "hello", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		case kind != "sh":
			t.Fatalf("a block of %s that is no file:\n%s", kind, text)
		case mark == "in the background":
			serve(t, filepath.Join(folder, "hello"), strings.TrimSpace(text), free)
		default:
			ran++
			if !strings.HasPrefix(text, "mkdir hello") {
				text = "cd hello\n" + text
			}
			runPart(t, folder, text)
		}
	}
	if ran != 3 {
		t.Errorf("ran %d blocks of commands, want 3", ran)
	}
}

// runPart runs commands of the page.
func runPart(t *testing.T, folder, commands string) {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), "bash", "-c", localModule+commands)
	c.Dir, c.Env = folder, append(os.Environ(), "ROOST="+root, "GOFLAGS=-mod=mod", "GOWORK=off")
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s\n%s", err, commands, out)
	}
	if strings.Contains(commands, "people.yaml") && !regexp.MustCompile(`delivered +80,?000`).Match(out) {
		t.Errorf("200 people who say 2 things each did not get 80,000 messages:\n%s", out)
	}
}

// serve starts the page's program, and waits until it listens.
func serve(t *testing.T, folder, program, addr string) {
	t.Helper()
	c := exec.Command(filepath.Join(folder, program))
	c.Dir = folder
	var log bytes.Buffer
	c.Stderr = &log
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGTERM) // fails if it has ended, which Wait tells
		if err := c.Wait(); err != nil {
			t.Errorf("at SIGTERM: %v\n%s", err, &log)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		conn, err := net.Dial("tcp", addr)
		if err == nil {
			conn.Close()
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("the program does not listen: %v", err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}
