package main

import (
	"os/exec"
	"strings"
	"testing"
)

func TestGenIsElsewhere(t *testing.T) {
	var stdout, stderr strings.Builder
	code := run(t.Context(), []string{"gen", "channel", "Room"}, &stdout, &stderr)
	const want = "server: gen is a program of its own: go run github.com/roost-rt/roost/server/gen channel Room\n"
	if code != 2 || stdout.String() != "" || stderr.String() != want {
		t.Errorf("gen channel Room exits with %d and prints %q and %q, want 2 and %q", code, stdout.String(), stderr.String(), want)
	}
}

// The server is a small program. Who links templates links every exported method there
// is: a third more of program, and memory for it in every process. The server of NATS
// and cobra are for package server/cmd/roost.
func TestServerLinksLittle(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for path := range strings.Lines(string(out)) {
		switch strings.TrimSpace(path) {
		case "text/template", "html/template", "github.com/spf13/cobra", "github.com/nats-io/nats-server/v2/server":
			t.Errorf("the server links %s", path)
		}
	}
}
