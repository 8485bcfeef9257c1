package panics_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/internal/panics"
)

// endless panics with itself when it is asked for its text.
type endless struct{}

func (e endless) Error() string { panic(e) }

// Whatever a panic's value is, the error has a text.
func TestNew(t *testing.T) {
	for _, tt := range []struct {
		value any
		want  string
	}{
		{"text", "panic: text\n"},
		{errors.New("an error"), "panic: an error\n"},
		{(*endless)(nil), "panic: <nil>\n"},
		{endless{}, "panic: panics_test.endless, whose text panics\n"},
	} {
		if got := panics.New(tt.value).Error(); !strings.HasPrefix(got, tt.want) {
			t.Errorf("New(%T): %.80q, want %q first", tt.value, got, tt.want)
		}
	}
}
