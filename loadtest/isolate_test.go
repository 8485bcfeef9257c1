package main_test

import (
	"strings"
	"testing"
)

// Where a namespace can be had, the whole run is in it, servers and cluster
// too; where not, the error says so.
func TestOwnNamespace(t *testing.T) {
	c, out := start(t, "-netns", "yes", "-clients", "100", "-servers", "2", "-messages", "3", "-out", "run")
	code := exitCode(t, c.Wait())
	switch text := out.String(); {
	case code == 0:
		for _, want := range []string{"network namespace of its own, with a TCP hash table of 512 buckets", "All delivered: 300 messages to 100 clients"} {
			if !strings.Contains(text, want) {
				t.Errorf("the output lacks %q:\n%s", want, text)
			}
		}
	case code == 2 && strings.Contains(text, "-netns yes: "):
		t.Logf("no namespace to be had here: %s", text)
	default:
		t.Errorf("exit code %d:\n%s", code, text)
	}
}

func TestNamespaceAndForeignServer(t *testing.T) {
	c, out := start(t, "-netns", "yes", "-url", "ws://127.0.0.1:1")
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "no way to -url") {
		t.Errorf("exit code %d, want 2 and why:\n%s", code, out)
	}
}
