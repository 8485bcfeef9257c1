package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// -node takes the program of loadtest/node alone: records name the server.
func TestCheckNode(t *testing.T) {
	t.Parallel()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for program, want := range map[string]string{
		"":         "",
		"/no/such": "-node: could not read Go build info: open /no/such: no such file",
		text:       "-node: ",
		self:       `: build it by CGO_ENABLED=0 go build -o ` + self + ` ./loadtest/node; for servers other than Roost there is -server`,
	} {
		if err := checkNode(program); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("-node %s: %v, want %q", program, err, want)
		}
	}
}
