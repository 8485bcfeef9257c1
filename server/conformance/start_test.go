package main_test

import (
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/token"
)

// An origin check or a CSRF token keeps other people's pages from acting with a
// visitor's session; a mount with neither does not start (row 19).
func TestUncheckedSessions(t *testing.T) {
	ours(t)
	tokens, err := token.New(strings.Repeat("s", 64), token.Config{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		origins  []string
		skipCSRF bool
		says     string // of the error
	}{
		{[]string{phx.AnyOrigin}, true, "Mounts[0] allows AnyOrigin and Sessions.SkipCSRF"},
		{[]string{phx.AnyOrigin}, false, ""},
		{nil, true, ""},
	}
	for _, test := range tests {
		ep, err := phx.Start(phx.Config{Addr: phx.Off, Mounts: []phx.Mount{{
			Path: "/socket", Origins: test.origins, Sessions: &phx.Sessions{Tokens: tokens, SkipCSRF: test.skipCSRF},
		}}})
		if err == nil {
			err = ep.Shutdown(t.Context())
		}
		if (err == nil) != (test.says == "") || err != nil && !strings.Contains(err.Error(), test.says) {
			t.Errorf("Start with origins %q and SkipCSRF %v: %v, want %q", test.origins, test.skipCSRF, err, test.says)
		}
	}
}
