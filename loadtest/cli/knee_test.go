package cli

import (
	"io"
	"strings"
	"testing"
)

// A search for the most clients does not leave the kernel's sockets on the way: runs on
// both sides of it would not be of the same thing.
func TestKneeHasOneTCP(t *testing.T) {
	for args, want := range map[string]string{
		"-vary clients":                  "kernel",
		"-vary clients -client-tcp auto": "kernel",
		"-vary clients -client-tcp bpf":  "bpf",
		"-vary rate":                     "",
	} {
		k, err := Program{}.parseKnee(append(strings.Fields(args), "-slo", "lost=0"), io.Discard)
		if err != nil {
			t.Fatal(err)
		}
		o, err := Program{}.parseOptions(k.arguments(100), io.Discard)
		if err != nil || string(o.config.ClientTCP) != want {
			t.Errorf("%s: a run has TCP %q, %v, want %q", args, o.config.ClientTCP, err, want)
		}
	}
}
