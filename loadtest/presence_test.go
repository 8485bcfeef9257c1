package main_test

import (
	"strings"
	"testing"
)

// What servers tell clients of who is in the room does not hurt the broadcasts there.
func TestPresence(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"sample", "count"} {
		c, out := start(t, "-clients", "100", "-servers", "2", "-messages", "3", "-rate", "20", "-presence", mode)
		if code := exitCode(t, c.Wait()); code != 0 || !strings.Contains(out.String(), "All delivered: 300 messages to 100 clients") {
			t.Errorf("%s: exit code %d:\n%s", mode, code, out)
		}
	}
	c, out := start(t, "-presence", "all")
	if code := exitCode(t, c.Wait()); code != 2 || !strings.Contains(out.String(), "want full, sample or count") {
		t.Errorf("exit code %d:\n%s", code, out)
	}
}
