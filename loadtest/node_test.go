package main_test

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The servers of a run may be a program that is nothing else. It is not taken for one
// that it is not.
func TestNode(t *testing.T) {
	node := filepath.Join(t.TempDir(), "node")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", node, "./node").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	c, out := start(t, "-node", node, "-clients", "100", "-servers", "2", "-messages", "3", "-out", "run")
	code := exitCode(t, c.Wait())
	for _, want := range []string{"The servers are " + node, "They are one cluster over NATS", "All delivered: 300 messages to 100 clients"} {
		if code != 0 || !strings.Contains(out.String(), want) {
			t.Errorf("exit code %d, want 0 and %q:\n%s", code, want, out)
		}
	}
	c, out = start(t, "-node", c.Path)
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "go build -o "+c.Path+" ./loadtest/node") {
		t.Errorf("exit code %d, want 2 and what to build:\n%s", code, out)
	}
}
