package kernel_test

import (
	"errors"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// stock has the values of a Linux that nobody has tuned.
func stock() machine {
	return bigMachine().with(machine{
		"proc/sys/fs/nr_open":                     "1048576\n",
		"proc/sys/fs/file-max":                    "1466170\n",
		"proc/sys/fs/file-nr":                     "1000\t0\t1466170\n",
		"proc/sys/fs/epoll/max_user_watches":      "5491511\n", // enough for a million
		"proc/sys/net/core/somaxconn":             "4096\n",
		"proc/sys/net/core/netdev_max_backlog":    "1000\n",
		"proc/sys/net/ipv4/tcp_max_syn_backlog":   "2048\n",
		"proc/sys/net/ipv4/tcp_mem":               "600000\t383867\t575796\n", // the first is higher than wished for
		"proc/sys/net/ipv4/tcp_max_orphans":       "131072\n",
		"proc/sys/net/netfilter/nf_conntrack_max": "262144\n",
	})
}

// files are the texts of all files below root.
func files(t *testing.T, root string) machine {
	t.Helper()
	m := machine{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		text, err := os.ReadFile(path)
		m[name] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// compare reports the files that differ.
func compare(t *testing.T, what string, got, want machine) {
	t.Helper()
	for _, name := range slices.Sorted(maps.Keys(want.with(got))) {
		if got[name] != want[name] {
			t.Errorf("%s: %s is %q, want %q", what, name, got[name], want[name])
		}
	}
}

// oneOf is the file that ends so.
func oneOf(m machine, name string) string { return m[strings.TrimPrefix(name, "/")] }

func TestApplyAndRollback(t *testing.T) {
	root := stock().write(t)
	before := files(t, string(root))
	tuner := kernel.Tuner{Root: root, Out: io.Discard}
	if _, err := tuner.Apply(million); err != nil {
		t.Fatal(err)
	}
	after := files(t, string(root))
	want := before.with(machine{
		"proc/sys/fs/nr_open":                              "2100000\n",
		"proc/sys/fs/file-max":                             "4500000\n",
		"proc/sys/net/core/somaxconn":                      "65535\n",
		"proc/sys/net/core/netdev_max_backlog":             "300000\n",
		"proc/sys/net/ipv4/tcp_mem":                        "600000\t1250000\t2000000\n",
		"proc/sys/net/ipv4/tcp_max_orphans":                "262144\n",
		"proc/sys/net/netfilter/nf_conntrack_max":          "2000000\n",
		"etc/sysctl.d/90-roost.conf":                       oneOf(after, kernel.SysctlFile),
		"var/lib/roost/tune.json":                          oneOf(after, kernel.StateFile),
		"etc/systemd/system/roost.service.d/90-roost.conf": oneOf(after, kernel.UnitFile),
	})
	compare(t, "after Apply", after, want)
	for file, line := range map[string]string{
		kernel.SysctlFile: "\nnet.ipv4.tcp_mem = 600000 1250000 2000000\n",
		kernel.UnitFile:   "\nLimitNOFILE=1100000\n",
	} {
		if !strings.Contains(oneOf(after, file), line) {
			t.Errorf("%s lacks %q:\n%s", file, line, oneOf(after, file))
		}
	}

	// A second Apply, for more, must not take the raised values for the old ones.
	if _, err := tuner.Apply(2 * million); err != nil {
		t.Fatal(err)
	}
	if err := tuner.Rollback(); err != nil {
		t.Fatal(err)
	}
	compare(t, "after Rollback", files(t, string(root)), before)
	if err := tuner.Rollback(); !errors.Is(err, kernel.ErrNotApplied) {
		t.Errorf("a second Rollback = %v, want %v", err, kernel.ErrNotApplied)
	}
}

// What Apply sets is what Check asks for.
func TestApplyIsEnough(t *testing.T) {
	for _, clients := range []kernel.Count{1, 999, 10_000, million - 1, million, 2 * million} {
		root := stock().with(machine{"proc/sys/fs/epoll/max_user_watches": "1\n", "proc/sys/net/ipv4/tcp_syncookies": "0\n"}).write(t)
		if _, err := (kernel.Tuner{Root: root, Out: io.Discard}).Apply(clients); err != nil {
			t.Fatal(err)
		}
		// The kernel shows fs.file-max there, too.
		tuner := kernel.Tuner{Root: root}
		put(t, tuner, machine{file("fs.file-nr"): "1000\t0\t" + files(t, string(root))[file("fs.file-max")]})
		h, err := kernel.Read(root)
		if err != nil {
			t.Fatal(err)
		}
		rep := kernel.Check(h, kernel.Demand{Clients: clients, SameHost: true, Single: true})
		for _, l := range rep.Limits {
			if l.Verdict == kernel.Slow || l.Verdict == kernel.Stop {
				t.Errorf("after Apply(%s), %s is %s: %q", clients, l.Name, l.Now, l.Verdict)
			}
		}
	}
}

// What doctor calls ok, or no bound, is left as it is, even where there is less to
// spare than Settings would have.
func TestApplyChangesWhatIsTooLow(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine machine
		clients kernel.Count
		want    []string
	}{
		{"nothing", bigMachine(), million, nil},
		{"nothing to spare", bigMachine().with(machine{
			"proc/sys/fs/nr_open":                     "1100000\n", // LimitNOFILE
			"proc/sys/fs/file-nr":                     "1000\t0\t2001032\n",
			"proc/sys/fs/file-max":                    "2001032\n",
			"proc/sys/fs/epoll/max_user_watches":      "2000000\n",
			"proc/sys/net/ipv4/tcp_mem":               "1\t2\t1000000\n",
			"proc/sys/net/netfilter/nf_conntrack_max": "1000044\n",
		}), million, nil},
		{"no bound", bigMachine().with(machine{
			"proc/sys/net/ipv4/ip_local_port_range":     "40000\t50000\n",
			"proc/sys/net/ipv4/tcp_max_syn_backlog":     "128\n",
			"proc/sys/net/netfilter/nf_conntrack_count": "0\n",
			"proc/sys/net/netfilter/nf_conntrack_max":   "262144\n",
		}), million, nil},
		{"stock for few", stock(), 1000, nil},
		{"stock for more", stock(), 4097, []string{"net.core.somaxconn: 4096 -> 65535", "net.core.netdev_max_backlog: 1000 -> 300000"}},
		{"stock for many", stock(), 200_000, []string{"net.core.somaxconn: 4096 -> 65535", "net.core.netdev_max_backlog: 1000 -> 300000", "net.ipv4.tcp_max_orphans: 131072 -> 262144"}},
		{"what the drop-in asks for", bigMachine().with(machine{"proc/sys/fs/nr_open": "1099999\n"}), million, []string{"fs.nr_open: 1099999 -> 2100000"}},
		{"others have taken more than is spared", bigMachine().with(machine{"proc/sys/net/netfilter/nf_conntrack_count": "8000001\n"}), million,
			[]string{"net.netfilter.nf_conntrack_max: 9000000 -> 9000001"}},
	} {
		root := test.machine.write(t)
		before := files(t, string(root))
		d, err := (kernel.Tuner{Root: root, Out: io.Discard}).Apply(test.clients)
		var got []string
		for _, c := range d.Changes {
			line, _, _ := strings.Cut(c.String(), "  (")
			got = append(got, line)
		}
		if err != nil || !slices.Equal(got, test.want) {
			t.Errorf("%s: Apply(%s) = %q, %v, want %q", test.name, test.clients, got, err, test.want)
		}
		if len(test.want) == 0 {
			compare(t, test.name, files(t, string(root)), before)
		}
	}
}

// An Apply that was killed after the last sysctl has written no files; the next
// one finds no value to change.
func TestApplyAfterACrash(t *testing.T) {
	for _, gone := range [][]string{{kernel.SysctlFile, kernel.UnitFile}, {kernel.UnitFile}, {}} {
		tuner, out, _, after := applied(t, stock())
		for _, name := range gone {
			put(t, tuner, machine{name: ""})
		}
		if d, err := tuner.Apply(million); err != nil || len(d.Changes) > 0 {
			t.Errorf("without %q: Apply = %v, %v, want no change", gone, d.Changes, err)
		}
		compare(t, "after Apply", files(t, string(tuner.Root)), after)
		if n := strings.Count(out.String(), "wrote "); n != len(gone) {
			t.Errorf("without %q: Apply wrote %d files, want %d:\n%s", gone, n, len(gone), out)
		}
	}
}

func TestApplyLeavesAnEditedFile(t *testing.T) {
	tuner, out, _, after := applied(t, stock())
	edit := machine{"etc/sysctl.d/90-roost.conf": oneOf(after, kernel.SysctlFile) + "vm.swappiness = 10\n"}
	put(t, tuner, edit)
	if _, err := tuner.Apply(million); !errors.Is(err, kernel.ErrLeft) || !strings.Contains(out.String(), "left alone: "+kernel.SysctlFile) {
		t.Errorf("Apply = %v, want %v:\n%s", err, kernel.ErrLeft, out)
	}
	compare(t, "after Apply", files(t, string(tuner.Root)), after.with(edit))
}

// What Rollback restores after a second Apply: the last value that was not ours,
// whatever was in force when Apply was killed.
func TestSecondApply(t *testing.T) {
	nrOpen := file("fs.nr_open")
	for _, test := range []struct {
		name    string
		between string // the two Applys
		after   string
		want    string
	}{
		{"nobody touched it", "", "", "1048576\n"},
		{"somebody set it between", "2050000\n", "", "2050000\n"},
		{"the second was killed before it", "", "2100000\n", "1048576\n"},
	} {
		tuner, _, before, _ := applied(t, stock())
		if test.between != "" {
			put(t, tuner, machine{nrOpen: test.between})
		}
		if _, err := tuner.Apply(2 * million); err != nil {
			t.Errorf("%s: Apply = %v", test.name, err)
		}
		if test.after != "" {
			put(t, tuner, machine{nrOpen: test.after})
		}
		if err := tuner.Rollback(); err != nil {
			t.Errorf("%s: Rollback = %v", test.name, err)
		}
		compare(t, test.name, files(t, string(tuner.Root)), before.with(machine{nrOpen: test.want}))
	}
}

func TestStatus(t *testing.T) {
	root := stock().write(t)
	tuner := kernel.Tuner{Root: root, Out: io.Discard}
	if s, err := tuner.Status(); err != nil || s.State != nil {
		t.Errorf("Status before Apply = %+v, %v, want none", s, err)
	}
	if _, err := tuner.Apply(million); err != nil {
		t.Fatal(err)
	}
	if s, err := tuner.Status(); err != nil || s.State == nil || len(s.Drifted)+len(s.Missing) > 0 {
		t.Errorf("Status after Apply = %+v, %v, want no difference", s, err)
	}
	somaxconn := filepath.Join(string(root), "proc/sys/net/core/somaxconn")
	if err := errors.Join(os.WriteFile(somaxconn, []byte("128\n"), 0o644), os.Remove(filepath.Join(string(root), kernel.UnitFile))); err != nil {
		t.Fatal(err)
	}
	s, err := tuner.Status()
	if err != nil || len(s.Drifted) != 1 || s.Drifted[0].Key != "net.core.somaxconn" || s.Drifted[0].New != "128" || !slices.Equal(s.Missing, []string{kernel.UnitFile}) {
		t.Errorf("Status = %+v, %v, want somaxconn at 128 and no %s", s, err, kernel.UnitFile)
	}
}

func TestForeignFileStays(t *testing.T) {
	root := stock().with(machine{"etc/sysctl.d/90-roost.conf": "mine\n"}).write(t)
	before := files(t, string(root))
	if _, err := (kernel.Tuner{Root: root, Out: io.Discard}).Apply(million); !errors.Is(err, kernel.ErrForeignFile) {
		t.Errorf("Apply = %v, want %v", err, kernel.ErrForeignFile)
	}
	compare(t, "after Apply", files(t, string(root)), before)
}

// A value that cannot be restored keeps what is needed to try again; a sysctl
// that went with its module is no reason to.
func TestRollbackAgain(t *testing.T) {
	root := stock().write(t)
	before := files(t, string(root))
	tuner := kernel.Tuner{Root: root, Out: io.Discard}
	if _, err := tuner.Apply(million); err != nil {
		t.Fatal(err)
	}
	conntrack := "proc/sys/net/netfilter/nf_conntrack_max"
	somaxconn := filepath.Join(string(root), "proc/sys/net/core/somaxconn")
	if err := errors.Join(os.Remove(filepath.Join(string(root), conntrack)), os.Remove(somaxconn), os.Symlink(os.DevNull, somaxconn)); err != nil {
		t.Fatal(err)
	}
	if err := tuner.Rollback(); err == nil {
		t.Error("Rollback with a somaxconn that takes nothing = nil, want an error")
	}
	if err := errors.Join(os.Remove(somaxconn), os.WriteFile(somaxconn, []byte("65535\n"), 0o644)); err != nil {
		t.Fatal(err)
	}
	if err := tuner.Rollback(); err != nil {
		t.Error(err)
	}
	compare(t, "after Rollback", files(t, string(root)), before.with(machine{conntrack: ""}))
}

func TestContainersAreRefused(t *testing.T) {
	netKeys := []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog"}
	for _, test := range []struct {
		name    string
		machine machine
		changes []string
		why     string // of each refusal
	}{
		{"read-only /proc/sys", machine{"proc/self/mountinfo": "1 2 0:21 / /proc rw - proc proc rw\n3 1 0:21 /sys /proc/sys ro,nosuid - proc proc rw\n"},
			nil, "/proc/sys is read-only"},
		{"other user namespace", machine{"proc/self/uid_map": "         0     100000      65536\n"}, netKeys, "this is not the first user namespace"},
		{"other network namespace", machine{"proc/sys/net/core/netdev_max_backlog": "", "proc/sys/net/ipv4/tcp_mem": "", "proc/sys/net/ipv4/tcp_max_orphans": ""},
			netKeys, "this is not the first network namespace"},
	} {
		stock := stock().with(machine{"proc/sys/net/ipv4/tcp_syncookies": "0\n"}).with(test.machine)
		root := stock.write(t)
		d, err := (kernel.Tuner{Root: root, Out: io.Discard}).Apply(million)
		if err != nil {
			t.Errorf("%s: Apply: %v", test.name, err)
		}
		var changed []string
		for _, c := range d.Changes {
			changed = append(changed, c.Key)
		}
		if !slices.Equal(changed, test.changes) {
			t.Errorf("%s: changed %q, want %q", test.name, changed, test.changes)
		}
		if len(d.Refusals) == 0 {
			t.Errorf("%s: nothing was refused", test.name)
		}
		for _, r := range d.Refusals {
			if !strings.Contains(r.Why, test.why) {
				t.Errorf("%s: %s was refused because %q, want %q", test.name, r.Key, r.Why, test.why)
			}
			if r.Scope == kernel.Machine && files(t, string(root))[file(r.Key)] != stock[file(r.Key)] {
				t.Errorf("%s: %s was changed", test.name, r.Key)
			}
		}
	}
}
