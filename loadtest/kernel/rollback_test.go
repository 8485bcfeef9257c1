package kernel_test

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// applied is a machine on which Apply was run for a million clients, with its
// files before and after.
func applied(t *testing.T, m machine) (tuner kernel.Tuner, out *strings.Builder, before, after machine) {
	t.Helper()
	root := m.write(t)
	before = files(t, string(root))
	if _, err := (kernel.Tuner{Root: root, Out: io.Discard}).Apply(million); err != nil {
		t.Fatal(err)
	}
	out = &strings.Builder{}
	return kernel.Tuner{Root: root, Out: out}, out, before, files(t, string(root))
}

// put writes files below the root of tuner. An empty text removes one.
func put(t *testing.T, tuner kernel.Tuner, m machine) {
	t.Helper()
	for name, text := range m {
		path := filepath.Join(string(tuner.Root), name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if text == "" {
			err = errors.Join(err, os.Remove(path))
		} else {
			err = errors.Join(err, os.WriteFile(path, []byte(text), 0o644))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A value that is not to be seen from here is not restored: its old value must
// not be forgotten.
func TestRollbackFromElsewhere(t *testing.T) {
	for _, test := range []struct {
		name    string
		hidden  []string
		restore []string // by the first attempt, of those below
		output  string
	}{
		{"another network namespace", []string{"net.core.netdev_max_backlog", "net.ipv4.tcp_mem", "net.ipv4.tcp_max_orphans"},
			nil, "left alone: net.core.netdev_max_backlog: it was 1000\n"},
		{"a part of /proc/sys is hidden", []string{"net.ipv4.tcp_mem"},
			[]string{"net.core.somaxconn"}, "left alone: net.ipv4.tcp_mem: it was 600000 383867 575796; it cannot be seen from here"},
	} {
		tuner, out, before, after := applied(t, stock())
		seen := machine{}
		for _, key := range test.hidden {
			name := file(key)
			put(t, tuner, machine{name: ""})
			seen[name] = after[name]
		}
		if err := tuner.Rollback(); !errors.Is(err, kernel.ErrLeft) || !strings.Contains(out.String(), test.output) {
			t.Errorf("%s: Rollback = %v, want %v with %q:\n%s", test.name, err, kernel.ErrLeft, test.output, out)
		}
		now := files(t, string(tuner.Root))
		if oneOf(now, kernel.StateFile) == "" {
			t.Errorf("%s: the state is gone", test.name)
		}
		if test.restore == nil {
			compare(t, test.name, now.with(seen), after) // nothing was touched
		}
		for _, key := range test.restore {
			if name := file(key); now[name] != before[name] {
				t.Errorf("%s: %s is %q, want %q", test.name, key, now[name], before[name])
			}
		}
		put(t, tuner, seen)
		if err := tuner.Rollback(); err != nil {
			t.Errorf("%s: Rollback on the host = %v", test.name, err)
		}
		compare(t, test.name+", after Rollback on the host", files(t, string(tuner.Root)), before)
	}
}

// The namespace of a state is known by its name, and one that is gone is no dead
// end.
func TestRollbackInAnotherNamespace(t *testing.T) {
	container := stock().with(machine{file("net.core.netdev_max_backlog"): "", file("net.ipv4.tcp_mem"): "", file("net.ipv4.tcp_max_orphans"): ""})
	for _, test := range []struct{ name, first, second, want string }{
		{"the same", "net:[4026532001]", "net:[4026532001]", ""},
		{"another", "net:[4026532001]", "net:[4026532002]", "it was applied in network namespace net:[4026532001]: run it there. If that is gone"},
	} {
		root := container.write(t)
		link := filepath.Join(string(root), "proc/self/ns/net")
		if err := errors.Join(os.Mkdir(filepath.Dir(link), 0o755), os.Symlink(test.first, link)); err != nil {
			t.Fatal(err)
		}
		tuner := kernel.Tuner{Root: root, Out: io.Discard}
		if _, err := tuner.Apply(million); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.Remove(link), os.Symlink(test.second, link)); err != nil {
			t.Fatal(err)
		}
		s, err := tuner.Status()
		if err != nil || (s.Elsewhere == "") != (test.want == "") || !strings.HasPrefix(s.Elsewhere, test.want) || len(s.Drifted) > 0 {
			t.Errorf("%s: Status = %+v, %v, want %q", test.name, s, err, test.want)
		}
		err = tuner.Rollback()
		if (err == nil) != (test.want == "") || err != nil && (!errors.Is(err, kernel.ErrLeft) || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("%s: Rollback = %v, want %q", test.name, err, test.want)
		}
	}
}

// What is applied on the host must not be mixed with another namespace's values.
func TestApplyFromElsewhere(t *testing.T) {
	tuner, _, _, _ := applied(t, stock())
	put(t, tuner, machine{file("net.core.netdev_max_backlog"): "", file("net.core.somaxconn"): "4096\n"})
	want := files(t, string(tuner.Root))
	if _, err := tuner.Apply(million); !errors.Is(err, kernel.ErrLeft) {
		t.Errorf("Apply = %v, want %v", err, kernel.ErrLeft)
	}
	compare(t, "after Apply", files(t, string(tuner.Root)), want)
}

// A value that Apply could not write has nothing to restore: Rollback must not
// fail by writing it again.
func TestRollbackOfWhatWasNotWritten(t *testing.T) {
	root := stock().write(t)
	path := filepath.Join(string(root), file("net.core.somaxconn"))
	const refuses = "/proc/sys/kernel/cap_last_cap" // a small number that nobody can write, not even root
	if err := errors.Join(os.Remove(path), os.Symlink(refuses, path)); err != nil {
		t.Fatal(err)
	}
	before := files(t, string(root))
	tuner := kernel.Tuner{Root: root, Out: io.Discard}
	if _, err := tuner.Apply(million); err == nil {
		t.Error("Apply to a somaxconn that cannot be written = nil, want an error")
	}
	if text := oneOf(files(t, string(root)), kernel.SysctlFile); strings.Contains(text, "somaxconn") || !strings.Contains(text, "net.ipv4.tcp_mem = ") {
		t.Errorf("%s has what could not be set, or lacks the rest:\n%s", kernel.SysctlFile, text)
	}
	if err := tuner.Rollback(); err != nil {
		t.Errorf("Rollback = %v, want none", err)
	}
	compare(t, "after Rollback", files(t, string(root)), before)
}

// What somebody else has changed since is theirs.
func TestRollbackLeavesWhatOthersChanged(t *testing.T) {
	const unit = "etc/systemd/system/roost.service.d/90-roost.conf"
	somaxconn := file("net.core.somaxconn")
	for _, test := range []struct {
		name   string
		change machine
		status func(kernel.Status) bool
		output string
		after  machine // that lets a second attempt end it
	}{
		{"a value", machine{somaxconn: "9999\n"},
			func(s kernel.Status) bool { return len(s.Drifted) == 1 && s.Drifted[0].New == "9999" },
			"left alone: net.core.somaxconn: somebody set it to 9999 since; apply had changed it from 4096 to 65535.", machine{somaxconn: "65535\n"}},
		{"a value that was put back in the end", machine{somaxconn: "9999\n"},
			func(s kernel.Status) bool { return len(s.Drifted) == 1 },
			"left alone: net.core.somaxconn", machine{somaxconn: "4096\n"}},
		{"a file", machine{unit: "[Service]\nLimitNOFILE=5\n"},
			func(s kernel.Status) bool { return len(s.Edited) == 1 && s.Edited[0] == kernel.UnitFile },
			"left alone: " + kernel.UnitFile + ": it was edited since", machine{unit: ""}},
	} {
		tuner, out, before, _ := applied(t, stock())
		put(t, tuner, test.change)
		if s, err := tuner.Status(); err != nil || !test.status(s) || len(s.Drifted)+len(s.Missing)+len(s.Edited) != 1 {
			t.Errorf("%s: Status = %+v, %v, want that change alone", test.name, s, err)
		}
		if err := tuner.Rollback(); !errors.Is(err, kernel.ErrLeft) || !strings.Contains(out.String(), test.output) {
			t.Errorf("%s: Rollback = %v, want %v with %q:\n%s", test.name, err, kernel.ErrLeft, test.output, out)
		}
		now := files(t, string(tuner.Root))
		state := oneOf(now, kernel.StateFile)
		if n := strings.Count(state, `"key"`) + strings.Count(state, "/etc/"); n != 1 {
			t.Errorf("%s: the state has %d entries, want 1:\n%s", test.name, n, state)
		}
		compare(t, test.name+": after Rollback", now, before.with(test.change).with(machine{"var/lib/roost/tune.json": state}))
		put(t, tuner, test.after)
		if err := tuner.Rollback(); err != nil {
			t.Errorf("%s: a second Rollback = %v, want none", test.name, err)
		}
		compare(t, test.name+": after a second Rollback", files(t, string(tuner.Root)), before)
	}
}

// file is where a sysctl is.
func file(key string) string { return "proc/sys/" + strings.ReplaceAll(key, ".", "/") }
