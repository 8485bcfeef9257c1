package main_test

import (
	"os"
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
		for _, want := range []string{"own network namespace, with a TCP hash table of 512 buckets", "All delivered: 300 messages to 100 clients"} {
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
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "cannot reach -url") {
		t.Errorf("exit code %d, want 2 and why:\n%s", code, out)
	}
}

// Clients whose TCP is in their process bring the run into a namespace, few as they
// are, and reach the same servers there. Nobody else can have them.
func TestClientTCP(t *testing.T) {
	for _, tcp := range []string{"tun", "bpf"} {
		c, out := start(t, "-client-tcp", tcp, "-clients", "200", "-servers", "2", "-messages", "3", "-out", "run")
		code := exitCode(t, c.Wait())
		text := strings.Join(strings.Fields(out.String()), " ")
		if os.Geteuid() != 0 {
			if code != 2 || !strings.Contains(text, "client-tcp: "+tcp+" needs root") {
				t.Errorf("exit code %d, want 2 and why:\n%s", code, out)
			}
			continue
		}
		for _, want := range []string{
			"The clients' TCP is in their process (-client-tcp " + tcp + "): it was asked for.", "1 process of clients.", "own network namespace",
			"More realistic than loopback", "All delivered: 600 messages to 200 clients",
		} {
			if code != 0 || !strings.Contains(text, want) {
				t.Errorf("exit code %d, want 0 and %q:\n%s", code, want, out)
			}
		}
	}
}

// They reach no server that runs already.
func TestClientTCPAndForeignServer(t *testing.T) {
	c, out := start(t, "-client-tcp", "tun", "-url", "ws://127.0.0.1:1")
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "client-tcp: tun is not possible") {
		t.Errorf("exit code %d, want 2 and why:\n%s", code, out)
	}
}
