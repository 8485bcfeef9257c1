package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

func TestTune(t *testing.T) {
	root := fakeRoot(t)
	ids := filepath.Join(root, "proc/self/uid_map")
	if err := os.WriteFile(ids, []byte("         0          0 4294967295\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		args   string
		code   int
		output string // a part of it
	}{
		{"", 2, "want diff, apply, status or rollback"},
		{"sell", 2, "want diff, apply"},
		{"diff -clients 0", 2, "-clients is 0"},
		{"-help", 0, "net.ipv4.tcp_tw_recycle"},
		{"status", 0, "Nothing is applied."},
		{"rollback", 0, "Nothing is applied."},
		{"diff -clients 10000", 99, "net.core.somaxconn: 4096 -> 65535  ("},
		{"diff -clients 100", 0, "Nothing to change for 100 clients."},
		{"diff -clients 1000000", 99, "As it is, servers and clients both here: First limit: memory (host)"},
		{"diff -role moon", 2, `no role "moon"`},
		{"diff -from 10.0.0.7", 2, "-from is for -role load"},
		{"diff -role load -clients 50000", 99, "net.ipv4.ip_local_port_range: 32768 60999 -> 1024 65535  ("},
		{"diff -role load -clients 50000", 99, "net.core.somaxconn                  the queue of a listener"},
		{"diff -role load -clients 50000 -from 10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4", 0, "Nothing to change"},
		{"-role load -help", 0, "net.ipv4.neigh.default.gc_thresh"},
		{"apply -clients 10000", 0, "net.core.netdev_max_backlog: 1000 -> 300000  ("},
		{"diff -clients 10000", 0, "Nothing to change for 10,000 clients."},
		{"status", 0, "Applied for 10,000 clients:"},
		{"rollback", 0, "net.core.somaxconn: 65535 -> 4096"},
		{"diff -clients 10000", 99, "net.core.somaxconn: 4096 -> 65535  ("},
	} {
		var out strings.Builder
		args := strings.Fields(step.args)
		if len(args) > 0 {
			args = append(args, "-dir", root)
		}
		if code := (Program{}).adjust(args, &out, &out); code != step.code || !strings.Contains(out.String(), step.output) {
			t.Fatalf("tune %s = %d, want %d with %q:\n%s", step.args, code, step.code, step.output, &out)
		}
	}

	// What somebody else has set since is left.
	for _, step := range []struct {
		somaxconn, args string
		code            int
		output          string
	}{
		{"4096", "apply -clients 10000", 0, "wrote "},
		{"9999", "rollback", 99, "left alone: net.core.somaxconn"},
		{"4096", "rollback", 0, "removed "},
	} {
		if err := os.WriteFile(filepath.Join(root, "proc/sys/net/core/somaxconn"), []byte(step.somaxconn+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		if code := (Program{}).adjust(append(strings.Fields(step.args), "-dir", root), &out, &out); code != step.code || !strings.Contains(out.String(), step.output) {
			t.Fatalf("tune %s = %d, want %d with %q:\n%s", step.args, code, step.code, step.output, &out)
		}
	}

	// The same in a container without privileges.
	if err := os.WriteFile(filepath.Join(root, "proc/self/mountinfo"), []byte("9 8 0:21 /sys /proc/sys ro,nosuid - proc proc rw\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	if code := (Program{}).adjust([]string{"apply", "-clients", "10000", "-dir", root}, &out, &out); code != 99 {
		t.Errorf("tune apply in a container = %d, want 99:\n%s", code, &out)
	}
	for _, want := range []string{
		"net.core.somaxconn: /proc/sys is read-only",
		"docker run --ulimit nofile=110000:110000",
		`--sysctl net.core.somaxconn="65535"`,
		"- {name: net.core.somaxconn, value: \"65535\"}\n",
		"kubelet --allowed-unsafe-sysctls=net.core.somaxconn,net.ipv4.tcp_max_syn_backlog",
	} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("tune apply in a container lacks %q:\n%s", want, &out)
		}
	}
}

// What has changed since it was applied is named, each by its kind, and tune diff wants
// it again.
func TestTuneStatus(t *testing.T) {
	t.Parallel()
	somaxconn := func(value string) func(file func(name string) string) error {
		return func(file func(name string) string) error {
			return os.WriteFile(file("proc/sys/net/core/somaxconn"), []byte(value+"\n"), 0o644)
		}
	}
	for _, tt := range []struct {
		name   string
		change func(file func(name string) string) error
		code   int
		says   string // after what was applied; "" for nothing more
	}{
		{"nothing", func(func(name string) string) error { return nil }, exitOK, ""},
		{"a value", somaxconn("4096"), exitMissed, "changed since: net.core.somaxconn: 65535 -> 4096"},
		{"a file that is gone", func(file func(name string) string) error { return os.Remove(file(kernel.SysctlFile)) }, exitMissed, "gone since: " + kernel.SysctlFile},
		{"a file that was edited", func(file func(name string) string) error {
			return os.WriteFile(file(kernel.SysctlFile), []byte("# mine\n"), 0o644)
		}, exitMissed, "edited since: " + kernel.SysctlFile},
	} {
		root := fakeRoot(t)
		file := func(name string) string { return filepath.Join(root, name) }
		if err := os.WriteFile(file("proc/self/uid_map"), []byte("         0          0 4294967295\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		tune := func(args string) (int, string) {
			var out strings.Builder
			code := Program{}.adjust(append(strings.Fields(args), "-dir", root), &out, &out)
			return code, out.String()
		}
		if code, out := tune("apply -clients 10000"); code != exitOK {
			t.Fatalf("apply: exit code %d\n%s", code, out)
		}
		if err := tt.change(file); err != nil {
			t.Fatal(err)
		}
		code, out := tune("status")
		_, more, since := strings.Cut(out, " since: ")
		if code != tt.code || !strings.HasPrefix(out, "Applied for 10,000 clients:\n") || !strings.Contains(out, tt.says) || since != (tt.says != "") || strings.Contains(more, " since: ") {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", tt.name, code, tt.code, tt.says, out)
		}
	}
}

// A state that cannot be read is an error of the command, with what to do.
func TestTuneWithADamagedState(t *testing.T) {
	t.Parallel()
	root := fakeRoot(t)
	path := filepath.Join(root, kernel.StateFile)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, job := range []string{"status", "rollback", "apply"} {
		var out, errs strings.Builder
		if code := (Program{}).adjust([]string{job, "-dir", root}, &out, &errs); code != exitBroken || !strings.HasPrefix(errs.String(), "loadtest tune: ") || !strings.Contains(errs.String(), "it is damaged (it is empty)") {
			t.Errorf("tune %s: exit code %d, %s%s", job, code, &out, &errs)
		}
	}
}

// Something that was left as it is is not a failure, and one failure among such is.
func TestOnlyLeft(t *testing.T) {
	t.Parallel()
	left, failed := fmt.Errorf("net.core.somaxconn: %w", kernel.ErrLeft), errors.New("no space left on device")
	for _, tt := range []struct {
		err  error
		want bool
	}{
		{left, true}, {failed, false}, {errors.Join(left, left), true}, {errors.Join(left, failed), false}, {errors.Join(failed, left), false},
		{errors.Join(left, errors.Join(left, failed)), false}, {errors.Join(left, errors.Join(left, left)), true},
	} {
		if got := onlyLeft(tt.err); got != tt.want {
			t.Errorf("onlyLeft(%q) = %v, want %v", tt.err, got, tt.want)
		}
	}
}
