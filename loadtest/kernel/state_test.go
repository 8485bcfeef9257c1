package kernel_test

import (
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// A state that cannot be read is not taken for none: the error says where else
// the old values are.
func TestDamagedState(t *testing.T) {
	for _, test := range []struct{ name, text, want string }{
		{"zeros, as some file systems leave them", "\x00\x00", "it is damaged (invalid character"},
		{"empty", "", "it is damaged (it is empty)"},
		{"cut off", `{"version": 1, "clients": 10`, "it is damaged (unexpected end of JSON input)"},
		{"no state", `{}`, "it is damaged (version 0)"},
		{"of a newer version", `{"version": 2}`, "version 2 is of a newer loadtest; use that one"},
	} {
		tuner, _, _, _ := applied(t, stock())
		if err := os.WriteFile(filepath.Join(string(tuner.Root), kernel.StateFile), []byte(test.text), 0o644); err != nil {
			t.Fatal(err)
		}
		before := files(t, string(tuner.Root))
		_, applyErr := tuner.Apply(2 * million)
		_, statusErr := tuner.Status()
		for what, err := range map[string]error{"Apply": applyErr, "Status": statusErr, "Rollback": tuner.Rollback()} {
			if !errors.Is(err, kernel.ErrState) || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%s: %s = %v, want %v and %q", test.name, what, err, kernel.ErrState, test.want)
				continue
			}
			if damaged := strings.Contains(test.want, "damaged"); damaged && !strings.Contains(err.Error(), kernel.SysctlFile+" name each old value") {
				t.Errorf("%s: %s = %v, want where the old values are", test.name, what, err)
			}
		}
		compare(t, test.name, files(t, string(tuner.Root)), before)
	}
}

// Where the kernel makes less of what it is given, that is ours to take back.
func TestTakenValueIsOurs(t *testing.T) {
	tuner, _, before, after := applied(t, stock())
	var state kernel.State
	if err := json.Unmarshal([]byte(oneOf(after, kernel.StateFile)), &state); err != nil {
		t.Fatal(err)
	}
	state.Took("net.core.somaxconn", "32768")
	text, err := json.Marshal(state)
	if err != nil {
		t.Fatal(err)
	}
	put(t, tuner, machine{kernel.StateFile: string(text), file("net.core.somaxconn"): "32768\n"})
	if err := tuner.Rollback(); err != nil {
		t.Errorf("Rollback = %v, want none", err)
	}
	compare(t, "after Rollback", files(t, string(tuner.Root)), before)
}

// What the error advises ends it.
func TestDamagedStateIsRemoved(t *testing.T) {
	tuner, _, before, _ := applied(t, stock())
	put(t, tuner, before) // as after sysctl -w
	put(t, tuner, machine{kernel.StateFile: ""})
	tuner.Out = io.Discard
	if _, err := tuner.Apply(million); err != nil {
		t.Errorf("Apply = %v, want none", err)
	}
	if err := tuner.Rollback(); err != nil {
		t.Errorf("Rollback = %v, want none", err)
	}
	compare(t, "after Rollback", files(t, string(tuner.Root)), before)
}
