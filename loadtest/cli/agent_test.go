package cli

import (
	"bytes"
	"strings"
	"testing"
)

// An agent does not start with clients that no packet could reach.
func TestAgentWithoutSockets(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-client-tcp bpf":                     "bpf counts on the server's socket",
		"-client-tcp x":                       `"x": want kernel or tun`,
		"-client-tcp tun":                     "-client-tcp tun: ", // no prefix, or no root
		"-client-tcp tun -from 2001:db8::/64": "-client-tcp tun: ",
	} {
		var out, errs bytes.Buffer
		code := Program{}.serveAgent(t.Context(), strings.Fields(args), &out, &errs)
		if code != exitUsage || !strings.Contains(errs.String(), want) {
			t.Errorf("%s: exit code %d, want %d and %q: %s", args, code, exitUsage, want, errs.String())
		}
	}
}
