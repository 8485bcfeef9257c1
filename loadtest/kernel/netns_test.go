package kernel_test

import (
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// privileged asks for the test below, which is for root: "outside" starts it
// "inside" a network namespace of its own.
const privileged = "ROOST_NETNS"

// TestNetworkNamespace applies to the real /proc/sys/net and takes it back. The
// namespace ends with the test; what is the host's must be refused.
func TestNetworkNamespace(t *testing.T) {
	switch os.Getenv(privileged) {
	case "":
		t.Skip("set " + privileged + "=outside as root")
	case "inside":
		applyHere(t)
		return
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestNetworkNamespace$", "-test.v")
	c.Env = append(os.Environ(), privileged+"=inside")
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	out, err := c.CombinedOutput()
	t.Logf("%s", out)
	if err != nil {
		t.Error(err)
	}
}

func applyHere(t *testing.T) {
	root := t.TempDir()
	if err := os.Symlink("/proc", filepath.Join(root, "proc")); err != nil {
		t.Fatal(err)
	}
	const cookies = "/proc/sys/net/ipv4/tcp_syncookies"
	if err := os.WriteFile(cookies, []byte("0\n"), 0); err != nil { // else the queue below is no bound
		t.Fatal(err)
	}
	before := sysctls(t)
	if _, found := before["net.core.netdev_max_backlog"]; found {
		t.Fatal("this is the network namespace of the host")
	}
	tuner := kernel.Tuner{Root: kernel.Root(root), Out: io.Discard}
	d, err := tuner.Apply(million)
	if err != nil {
		t.Fatal(err)
	}
	after := sysctls(t)
	want := before.with(machine{
		"net.core.somaxconn":           "65535\n",
		"net.ipv4.tcp_max_syn_backlog": "65535\n",
	})
	compare(t, "after Apply", after, want)
	if len(d.Changes) == 0 || len(d.Refusals) == 0 {
		t.Errorf("Apply changed %d and refused %d, want some of both", len(d.Changes), len(d.Refusals))
	}
	if err := tuner.Rollback(); err != nil {
		t.Fatal(err)
	}
	restored := sysctls(t)
	compare(t, "after Rollback", restored, before)
	t.Logf("%d values compared, %d changed and restored: %v", len(restored), len(d.Changes), d.Changes)
}

// sysctls are the values of all settings that [kernel.Settings] could touch, and
// of their neighbours.
func sysctls(t *testing.T) machine {
	t.Helper()
	m := machine{}
	for _, pattern := range []string{"fs/*", "fs/epoll/*", "net/core/*", "net/ipv4/*", "net/netfilter/*"} {
		names, err := filepath.Glob("/proc/sys/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			key := strings.ReplaceAll(strings.TrimPrefix(name, "/proc/sys/"), "/", ".")
			if err != nil || moves(key) { // a folder, or not for reading
				continue
			}
			m[key] = string(text)
		}
	}
	return m
}

// moves says that a value counts something.
func moves(key string) bool {
	return strings.HasPrefix(key, "fs.file-nr") || strings.HasPrefix(key, "fs.inode") || strings.HasPrefix(key, "fs.dentry") || strings.HasSuffix(key, "_count")
}
