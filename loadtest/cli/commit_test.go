package cli

import (
	"runtime/debug"
	"testing"
)

func TestStamped(t *testing.T) {
	revision, dirty := debug.BuildSetting{Key: "vcs.revision", Value: "c0ffee"}, debug.BuildSetting{Key: "vcs.modified", Value: "true"}
	for _, test := range []struct {
		settings []debug.BuildSetting
		want     string
	}{
		{nil, ""},
		{[]debug.BuildSetting{{Key: "GOOS", Value: "linux"}}, ""},
		{[]debug.BuildSetting{dirty}, ""}, // git is to say of what
		{[]debug.BuildSetting{revision, {Key: "vcs.modified", Value: "false"}}, "c0ffee"},
		{[]debug.BuildSetting{revision, dirty}, "c0ffee+dirty"},
	} {
		if got := Stamped(test.settings); got != test.want {
			t.Errorf("Stamped(%v) = %q, want %q", test.settings, got, test.want)
		}
	}
}
