package kernel_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// A load machine gets what who connects needs, and the files of a login; all of it is
// taken back.
func TestApplyToLoadMachine(t *testing.T) {
	root := stock().with(machine{"proc/sys/net/ipv4/tcp_tw_reuse": "2\n"}).write(t)
	before := files(t, string(root))
	tuner := kernel.Tuner{Root: root, Out: io.Discard, Role: kernel.Load}
	if _, err := tuner.Apply(50_000); err != nil {
		t.Fatal(err)
	}
	after := files(t, string(root))
	compare(t, "after Apply", after, before.with(machine{
		"proc/sys/net/ipv4/ip_local_port_range": "1024\t65535\n",
		"proc/sys/net/ipv4/tcp_tw_reuse":        "1\n",
		"etc/sysctl.d/90-roost.conf":            oneOf(after, kernel.SysctlFile),
		"etc/security/limits.d/90-roost.conf":   oneOf(after, kernel.LimitsFile),
		"var/lib/roost/tune.json":               oneOf(after, kernel.StateFile),
	}))
	if text := oneOf(after, kernel.LimitsFile); !strings.Contains(text, "\n*     -  nofile  150000\n") || !strings.Contains(text, "\nroot  -  nofile  150000\n") {
		t.Errorf("%s:\n%s", kernel.LimitsFile, text)
	}
	if d, err := tuner.Diff(50_000); err != nil || len(d.Changes) > 0 {
		t.Errorf("Diff after Apply = %+v, %v, want no changes", d.Changes, err)
	}
	if err := tuner.Rollback(); err != nil {
		t.Fatal(err)
	}
	compare(t, "after Rollback", files(t, string(root)), before)
}

// A limit of files beyond fs.nr_open would let nobody log in.
func TestLimitsOfLoginAreWithinTheCeiling(t *testing.T) {
	root := stock().with(machine{"proc/sys/fs/nr_open": "100000\n"}).write(t)
	if _, err := (kernel.Tuner{Root: root, Out: io.Discard, Role: kernel.Load}).Apply(50_000); err != nil {
		t.Fatal(err)
	}
	if text := files(t, string(root))[strings.TrimPrefix(kernel.LimitsFile, "/")]; !strings.Contains(text, "nofile  100000\n") {
		t.Errorf("%s:\n%s\nwant no more than fs.nr_open", kernel.LimitsFile, text)
	}
}

// A range of ports is only ever widened.
func TestPortsAreOnlyWidened(t *testing.T) {
	for now, want := range map[string]string{"32768\t60999": "1024\t65535", "1000\t2000": "1000\t65535", "1024\t65535": "1024\t65535"} {
		root := stock().with(machine{"proc/sys/net/ipv4/ip_local_port_range": now + "\n", "proc/sys/net/ipv4/tcp_tw_reuse": "1\n"}).write(t)
		if _, err := (kernel.Tuner{Root: root, Out: io.Discard, Role: kernel.Load}).Apply(million); err != nil {
			t.Fatal(err)
		}
		if got := strings.TrimSpace(files(t, string(root))["proc/sys/net/ipv4/ip_local_port_range"]); got != want {
			t.Errorf("%q became %q, want %q", now, got, want)
		}
	}
}

// fs.file-max does not bind who has CAP_SYS_ADMIN in the first user namespace, and
// only those: not root of a container.
func TestFilesExempt(t *testing.T) {
	const (
		all       = "Name:\tx\nCapEff:\t000001ffffffffff\n"
		docker    = "Name:\tx\nCapEff:\t00000000a80425fb\n"
		admin     = "Name:\tx\nCapEff:\t0000000000200000\n"
		allIDs    = "         0          0 4294967295\n"
		first     = "user:[4026531837]"
		another   = "user:[4026532567]"
		container = "         0       1000          1\n         1     100000      65536\n"
	)
	for _, test := range []struct {
		name, status, ids, namespace string
		want                         bool
	}{
		{"root of the host", all, allIDs, first, true},
		{"a program with the capability", admin, allIDs, first, true},
		{"root of Docker", docker, allIDs, first, false},
		{"root of a rootless container", all, container, another, false},
		{"root of a namespace that maps all ids", all, allIDs, another, false},
		{"the namespace is not to be seen", all, allIDs, "", true},
		{"nor is it here, rootless", all, container, "", false},
		{"somebody", "Name:\tx\nCapEff:\t0000000000000000\n", allIDs, first, false},
		{"no /proc/self/status", "", allIDs, first, false},
	} {
		root := bigMachine().with(machine{"proc/self/status": test.status, "proc/self/uid_map": test.ids}).write(t)
		if test.namespace != "" {
			folder := filepath.Join(string(root), "proc/self/ns")
			if err := os.MkdirAll(folder, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(test.namespace, filepath.Join(folder, "user")); err != nil {
				t.Fatal(err)
			}
		}
		h, err := kernel.Read(root)
		if err != nil || h.FilesExempt != test.want {
			t.Errorf("%s: exempt %v, %v, want %v", test.name, h.FilesExempt, err, test.want)
		}
	}
}

// Clients without sockets take a device, and who may make it; a program for it takes root
// of the host, and a kernel that attaches it.
func TestVirtualClients(t *testing.T) {
	const (
		root   = "Name:\tx\nCapEff:\t000001ffffffffff\n"
		docker = "Name:\tx\nCapEff:\t00000000a80425fb\n"
	)
	for _, test := range []struct {
		name, status, device, ids, release string
		tun, bpf                           bool
	}{
		{"root of the host", root, "x", "0 0 4294967295", "6.18.44-fc", true, true},
		{"the oldest kernel that does", root, "x", "0 0 4294967295", "6.6.0", true, true},
		{"one too old", root, "x", "0 0 4294967295", "6.5.13-generic", true, false},
		{"and another", root, "x", "0 0 4294967295", "5.15.0", true, false},
		{"root of a rootless container", root, "x", "0 1000 1", "6.18.44", true, false},
		{"root of Docker", docker, "x", "0 0 4294967295", "6.18.44", false, false},
		{"no device", root, "", "0 0 4294967295", "6.18.44", false, false},
	} {
		h := bigMachine().with(machine{
			"proc/self/status": test.status, "dev/net/tun": test.device, "proc/self/uid_map": test.ids, "proc/sys/kernel/osrelease": test.release + "\n",
		}).host(t)
		if h.TUN != test.tun || h.BPF != test.bpf {
			t.Errorf("%s: TUN %v, BPF %v, want %v, %v", test.name, h.TUN, h.BPF, test.tun, test.bpf)
		}
	}
}

// The least quota on the way up is shown, and bounds the processors that are planned
// with.
func TestQuota(t *testing.T) {
	for _, test := range []struct {
		name       string
		machine    machine
		processors float64
		path       string
	}{
		{"none", machine{}, 0, ""},
		{"version 2, two levels", machine{
			"proc/self/cgroup":               "0::/kube/pod\n",
			"sys/fs/cgroup/kube/cpu.max":     "150000 100000\n",
			"sys/fs/cgroup/kube/pod/cpu.max": "max 100000\n",
		}, 1.5, "/kube"},
		{"version 1", machine{
			"proc/self/cgroup":                               "4:memory:/\n1:cpu,cpuacct:/docker/abc\n0::/\n",
			"proc/self/mountinfo":                            "35 31 0:32 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct\n",
			"sys/fs/cgroup/cpu/docker/abc/cpu.cfs_quota_us":  "50000\n",
			"sys/fs/cgroup/cpu/docker/abc/cpu.cfs_period_us": "100000\n",
			"sys/fs/cgroup/cpu/cpu.cfs_quota_us":             "-1\n",
			"sys/fs/cgroup/cpu/cpu.cfs_period_us":            "100000\n",
		}, 0.5, "/docker/abc"},
	} {
		h, err := kernel.Read(bigMachine().with(test.machine).write(t))
		if err != nil || h.Quota.Processors != test.processors || h.Quota.Path != test.path {
			t.Errorf("%s: quota %+v, %v, want %v of %q", test.name, h.Quota, err, test.processors, test.path)
		}
		if most := int(test.processors + .99); most > 0 && h.Cores > most || h.Cores < 1 || h.Cores > h.Processors {
			t.Errorf("%s: %d of %d processors are planned with", test.name, h.Cores, h.Processors)
		}
		var text strings.Builder
		if err := kernel.Check(h, bothEnds()).WriteText(&text, true); err != nil {
			t.Fatal(err)
		}
		if shown := strings.Contains(text.String(), "cpu quota") && strings.Contains(text.String(), "cgroup "+test.path+" has "); shown != (test.processors > 0) {
			t.Errorf("%s: shown %v:\n%s", test.name, shown, &text)
		}
	}
}
