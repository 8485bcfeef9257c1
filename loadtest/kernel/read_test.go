package kernel

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rooted is a root with some files; one whose text is "DIR" is a folder.
func rooted(t *testing.T, files map[string]string) Root {
	t.Helper()
	root := t.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Root(root)
}

// Ports are those of the range that nobody has reserved; a list of reservations may
// overlap the ends of the range, and be long.
func TestPorts(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		bounds, reserved string
		want             Count
	}{
		{"32768\t60999\n", "", 28232},
		{"32768\t60999\n", "\n", 28232},
		{"1024 65535", "8080,9148-9150", 64508},
		{"1000 1009", "1000", 9},
		{"1000 1009", "1009", 9},
		{"1000 1009", "999,1010", 10},
		{"1000 1009", "900-1004", 5},
		{"1000 1009", "1005-2000", 5},
		{"1000 1009", "1-65535", 0},
		{"1000 1009", "1001,1003-1005,1009", 5},
		{"1000 1000", "", 1},
		{"1000", "", Unknown},
		{"a b", "", Unknown},
		{"none", "", Unknown},
	} {
		files := map[string]string{"proc/sys/net/ipv4/ip_local_port_range": test.bounds, "proc/sys/net/ipv4/ip_local_reserved_ports": test.reserved}
		if test.bounds == "none" {
			delete(files, "proc/sys/net/ipv4/ip_local_port_range")
		}
		if got := rooted(t, files).ports(); got != test.want {
			t.Errorf("ports of %q without %q: %s, want %s", test.bounds, test.reserved, got, test.want)
		}
	}
	if got := rooted(t, map[string]string{"proc/sys/net/ipv4/ip_local_port_range": "5 9"}).ports(); got != 5 {
		t.Errorf("where nothing can be reserved: %s ports, want 5", got)
	}
}

// A process's limit of files is a number or none, and the line may be anywhere.
func TestFilesOfProcess(t *testing.T) {
	t.Parallel()
	const head = "Limit                     Soft Limit           Hard Limit           Units\n"
	for text, want := range map[string][2]Count{
		head + "Max open files            1024                 524288               files\n":                                            {1024, 524288},
		head + "Max cpu time  unlimited unlimited seconds\nMax open files            unlimited            unlimited            files\n": {Unlimited, Unlimited},
		head + "Max open files            1024                 unlimited            files":                                              {1024, Unlimited},
		head + "Max open files\n":                 {-9, -9},
		head + "Max open files   x   y   files\n": {-9, -9},
		head + "Max open files   1   0   files\n": {-9, -9}, // nobody could have read this
		head: {-9, -9},
		"":   {-9, -9},
	} {
		soft, hard, err := rooted(t, map[string]string{"proc/self/limits": text}).files("proc/self/limits")
		if fails := want[0] == -9; (err != nil) != fails || !fails && (soft != want[0] || hard != want[1]) {
			t.Errorf("of\n%s\nare read %s and %s, %v, want %v", text, soft, hard, err, want)
		}
	}
	if _, _, err := rooted(t, nil).files("proc/self/limits"); err == nil {
		t.Error("no file has limits")
	}
}

// A line of a file of names and numbers is found by its whole name.
func TestFields(t *testing.T) {
	t.Parallel()
	r := rooted(t, map[string]string{
		"f":            "MemTotal:       99 kB\nMemTotals: 1\n\n  indented 7\nalone\nodd x\nmost max\nMemTotal: 5\n",
		"proc/loadavg": "0.40 0.57 0.25 7/156 6067\n",
		"n":            " 5\t18446744073709551615 \n-3\n",
		"bad":          "5 x\n",
	})
	for name, want := range map[string]Count{"MemTotal:": 99, "MemTotal": Unknown, "indented": 7, "alone": Unknown, "odd": Unknown, "most": Unlimited, "": Unknown} {
		if got := r.field("f", name); got != want {
			t.Errorf("%q is %d, want %d", name, got, want)
		}
	}
	if got := r.field("none", "MemTotal:"); got != Unknown {
		t.Errorf("of no file is read %d", got)
	}
	if got := r.threads(); got != 156 {
		t.Errorf("%d threads, want 156", got)
	}
	for _, odd := range []string{"0.40 0.57 0.25", "0.40 0.57 0.25 7 6067", "", "a b c 1/x"} {
		if got := rooted(t, map[string]string{"proc/loadavg": odd}).threads(); got != Unknown {
			t.Errorf("%q has %d threads", odd, got)
		}
	}
	if got := r.numbers("n"); !slices.Equal(got, []int64{5, 9223372036854775807, -3}) {
		t.Errorf("numbers %v", got)
	}
	if r.numbers("bad") != nil || r.numbers("none") != nil || r.count("n", 3) != Unknown || r.count("n", 0) != 5 {
		t.Error("numbers are read where there are none")
	}
	if got := r.entries("proc"); got != 1 {
		t.Errorf("the folder has %d entries, want 1", got)
	}
	if got := r.entries("none"); got != Unknown {
		t.Errorf("no folder has %d entries", got)
	}
}

const mountHead = "22 27 0:21 / /proc rw,relatime - proc proc rw\n"

// Mounts are read whatever they are called: a file system may have no source, and
// its path spaces.
func TestMounts(t *testing.T) {
	t.Parallel()
	r := rooted(t, map[string]string{"proc/self/mountinfo": mountHead +
		"30 22 0:25 /sub /mnt/a\\040b ro,nosuid shared:5 master:1 - ext4 /dev/sda1 rw,errors=remount-ro\n" +
		"31 22 0:26 / /empty rw -  tmpfs\n" +
		"32 22 0:27 / /nosource ro - tmpfs  rw,size=5k\n" +
		"33 22 0:28 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n"})
	if _, err := r.mounts(); err == nil || !strings.Contains(err.Error(), "malformed line \"31 ") {
		t.Errorf("a line without a file system: %v", err)
	}
	text, err := r.text("proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	r = rooted(t, map[string]string{"proc/self/mountinfo": strings.Replace(text, "31 22 0:26 / /empty rw -  tmpfs\n", "", 1)})
	list, err := r.mounts()
	if err != nil || len(list) != 4 {
		t.Fatalf("%d mounts, %v, want 4", len(list), err)
	}
	for i, want := range []mount{
		{"/", "/proc", false, "proc", []string{"rw"}},
		{"/sub", "/mnt/a\\040b", true, "ext4", []string{"rw", "errors=remount-ro"}},
		{"/", "/nosource", true, "tmpfs", []string{"rw", "size=5k"}},
		{"/", "/sys/fs/cgroup/cpu,cpuacct", false, "cgroup", []string{"rw", "cpu", "cpuacct"}},
	} {
		if m := list[i]; m.root != want.root || m.point != want.point || m.readOnly != want.readOnly || m.kind != want.kind || !slices.Equal(m.options, want.options) {
			t.Errorf("mount %d is %+v, want %+v", i, m, want)
		}
	}
	if !(controller{name: "cpu"}).isMount(list[3]) || (controller{name: "cpu"}).isMount(list[1]) || (controller{}).isMount(list[3]) {
		t.Error("the mount of the controller cpu is not known")
	}
}

// The least of the quotas on the way up counts, of either version of cgroups.
func TestQuotas(t *testing.T) {
	t.Parallel()
	const two, one = "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n", "41 31 0:38 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
	for _, test := range []struct {
		name, groups, mounts string
		files                map[string]string
		want                 Quota
	}{
		{"none", "0::/a/b\n", two, map[string]string{"a/b/cpu.max": "max 100000", "a/cpu.max": "max 100000"}, Quota{}},
		{"one", "0::/a/b\n", two, map[string]string{"a/b/cpu.max": "150000 100000", "a/cpu.max": "max 100000"}, Quota{"/a/b", 1.5}},
		{"the outer is less", "0::/a/b\n", two, map[string]string{"a/b/cpu.max": "300000 100000", "a/cpu.max": "50000 100000"}, Quota{"/a", 0.5}},
		{"the inner is less", "0::/a/b\n", two, map[string]string{"a/b/cpu.max": "50000 100000", "a/cpu.max": "300000 100000"}, Quota{"/a/b", 0.5}},
		{"nonsense", "0::/a\n", two, map[string]string{"a/cpu.max": "x y"}, Quota{}},
		{"no period", "0::/a\n", two, map[string]string{"a/cpu.max": "5000"}, Quota{}},
		{"nothing", "0::/a\n", two, map[string]string{"a/cpu.max": "0 100000"}, Quota{}},
		{"version 1", "4:cpu,cpuacct:/a\n", one, map[string]string{"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "100000"}, Quota{"/a", 2}},
		{"version 1 without a bound", "4:cpu:/a\n", one, map[string]string{"cpu/a/cpu.cfs_quota_us": "-1", "cpu/a/cpu.cfs_period_us": "100000"}, Quota{}},
		{"version 1, another controller", "4:memory:/a\n", one, map[string]string{"cpu/a/cpu.cfs_quota_us": "200000", "cpu/a/cpu.cfs_period_us": "100000"}, Quota{}},
		{"a malformed line", "nonsense\n", two, nil, Quota{}},
	} {
		files := map[string]string{"proc/self/cgroup": test.groups, "proc/self/mountinfo": mountHead + test.mounts}
		for name, text := range test.files {
			files["sys/fs/cgroup/"+name] = text + "\n"
		}
		r := rooted(t, files)
		if got := r.quota(); got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
		notes := Host{Processors: 8, Quota: test.want}.quotaRule()
		if (len(notes) == 1) != (test.want.Processors > 0) {
			t.Errorf("%s: %d notes", test.name, len(notes))
		}
	}
	if got := rooted(t, nil).quota(); got != (Quota{}) {
		t.Errorf("without cgroups: %+v", got)
	}
}

// Limits of cgroups are those of all on the way up that are set, with what can be
// taken back not counted as used.
func TestGroups(t *testing.T) {
	t.Parallel()
	r := rooted(t, map[string]string{
		"proc/self/cgroup":                 "0::/a/b\n",
		"proc/self/mountinfo":              mountHead + "41 31 0:38 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n",
		"sys/fs/cgroup/a/b/memory.max":     "1000\n",
		"sys/fs/cgroup/a/b/memory.current": "700\n",
		"sys/fs/cgroup/a/b/memory.stat":    "anon 5\ninactive_file 300\n",
		"sys/fs/cgroup/a/b/pids.max":       "max\n",
		"sys/fs/cgroup/a/memory.high":      "5000\n",
		"sys/fs/cgroup/a/memory.current":   "6000\n",
		"sys/fs/cgroup/a/pids.max":         "50\n",
		"sys/fs/cgroup/a/pids.current":     "7\n",
		"sys/fs/cgroup/memory.max":         "9223372036854771712\n",
	})
	list, err := r.groups()
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, g := range list {
		got = append(got, strings.Join([]string{g.key(), g.Max.String(), g.Used.String()}, " "))
	}
	want := []string{"memory.max of /a/b 1,000 400", "memory.high of /a 5,000 6,000", "pids.max of /a 50 7"}
	if !slices.Equal(got, want) {
		t.Errorf("limits %q, want %q", got, want)
	}
}

// A container sees its cgroup as the root of the mount, whatever the path says.
func TestFoldersOfCgroup(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ group, root, want string }{
		{"/a/b", "/", "/a/b=/cg/a/b /a=/cg/a /=/cg"},
		{"/", "/", "/=/cg"},
		{"/docker/x", "/docker/x", "/=/cg"},
		{"/docker/x/y", "/docker/x", "/y=/cg/y /=/cg"},
		{"/../..", "/", "/=/cg"},
		{"/a/../b", "/", "/b=/cg/b /=/cg"},
	} {
		var got []string
		for dir, folder := range (controller{}).folders(test.group, []mount{{kind: "proc", point: "/proc"}, {kind: "cgroup2", root: test.root, point: "/cg"}}) {
			got = append(got, dir+"="+folder)
		}
		if text := strings.Join(got, " "); text != test.want {
			t.Errorf("%s below %s: %s, want %s", test.group, test.root, text, test.want)
		}
	}
	for range (controller{}).folders("/a", nil) {
		t.Error("folders without a mount")
	}
}

// Counters are read by their names, in whatever order, and columns of hexadecimal
// numbers summed up.
func TestCounters(t *testing.T) {
	t.Parallel()
	r := rooted(t, map[string]string{
		"proc/net/netstat":           "TcpExt: A B ListenOverflows\nTcpExt: 1 2 3\nIpExt: ListenOverflows\nIpExt: 9\n",
		"proc/net/softnet_stat":      "0a 01 00\n0b 10 00\n",
		"proc/net/stat/nf_conntrack": "entries  searched drop early_drop\n00000001 00000000 0000000a 00000001\n00000001 00000000 00000010 00000000\n",
		"proc/net/sockstat":          "sockets: used 7\nUDP: inuse 1 mem 9\nTCP: inuse 5 orphan 0 tw 0 alloc 6 mem 3\n",
		"proc/meminfo":               "Slab: 10 kB\nMemTotal: 20 kB\nMemAvailable: 15 kB\n",
	})
	if got := r.netstat(); got["ListenOverflows"] != 3 || got["A"] != 1 || len(got) != 3 {
		t.Errorf("counters %v", got)
	}
	if got := r.column("proc/net/softnet_stat", 1); got != 17 {
		t.Errorf("a column sums up to %d, want 17", got)
	}
	if got := r.conntrackDrops(); got != 27 {
		t.Errorf("%d drops, want 27", got)
	}
	if got, want := r.MemoryOfKernel(), Count(10<<10+3*os.Getpagesize()); got != want {
		t.Errorf("the kernel has %d bytes, want %d", got, want)
	}
	if r.MemoryTotal() != 20<<10 || r.MemoryAvailable() != 15<<10 {
		t.Errorf("memory %d of %d", r.MemoryAvailable(), r.MemoryTotal())
	}
	none := rooted(t, nil)
	if none.netstat() != nil || none.column("x", 0) != 0 || none.conntrackDrops() != 0 || none.MemoryOfKernel() != Unknown || none.MemoryTotal() != Unknown || none.tcpBuffers() != 0 {
		t.Error("counters are read where there are none")
	}
}

// What may be tuned depends on where one is: read-only, in a container, in a network
// of one's own.
func TestPlaces(t *testing.T) {
	t.Parallel()
	const first, mapped = "         0          0 4294967295\n", "         0     100000      65536\n"
	for _, test := range []struct {
		name  string
		files map[string]string
		want  Place
	}{
		{"the host", map[string]string{"proc/self/uid_map": first, "proc/sys/net/core/netdev_max_backlog": "1000"}, Place{true, true, true, firstNet}},
		{"without user namespaces", map[string]string{"proc/sys/net/core/netdev_max_backlog": "1000"}, Place{true, true, true, firstNet}},
		{"users of its own", map[string]string{"proc/self/uid_map": mapped, "proc/sys/net/core/netdev_max_backlog": "1000"}, Place{true, false, true, firstNet}},
		{"a network of its own", map[string]string{"proc/self/uid_map": first}, Place{true, true, false, otherNet}},
		{"read-only", map[string]string{
			"proc/self/uid_map": first, "proc/sys/net/core/netdev_max_backlog": "1", "proc/self/mountinfo": mountHead + "23 22 0:22 / /proc/sys ro,relatime - proc proc rw\n",
		}, Place{false, true, true, firstNet}},
		{"read-only below a writable one", map[string]string{
			"proc/self/uid_map": first, "proc/sys/net/core/netdev_max_backlog": "1",
			"proc/self/mountinfo": mountHead + "23 22 0:22 / /proc/sys ro - proc proc rw\n24 22 0:22 / /proc/sys rw - proc proc rw\n",
		}, Place{true, true, true, firstNet}},
	} {
		if test.files["proc/self/mountinfo"] == "" {
			test.files["proc/self/mountinfo"] = mountHead
		}
		if got, err := rooted(t, test.files).place(); err != nil || got != test.want {
			t.Errorf("%s: %+v, %v, want %+v", test.name, got, err, test.want)
		}
	}
	machine, own := Setting{Scope: Machine}, Setting{Scope: Namespace}
	for _, test := range []struct {
		place    Place
		setting  Setting
		mentions []string
	}{
		{Place{true, true, true, firstNet}, machine, nil},
		{Place{true, false, false, otherNet}, own, nil},
		{Place{false, true, true, firstNet}, own, []string{"read-only"}},
		{Place{true, false, true, firstNet}, machine, []string{"user namespace"}},
		{Place{false, false, false, otherNet}, machine, []string{"read-only", "user namespace", "network namespace"}},
	} {
		got := test.place.refusal(test.setting)
		if (got == "") != (test.mentions == nil) {
			t.Errorf("%+v at %+v is refused with %q", test.setting, test.place, got)
		}
		for _, want := range test.mentions {
			if !strings.Contains(got, want) {
				t.Errorf("%+v is refused with %q, want %q in it", test.place, got, want)
			}
		}
	}
	for _, test := range []struct{ here, net, want string }{
		{firstNet, firstNet, ""}, {firstNet, "", ""}, {"net:[7]", "net:[7]", ""}, {"net:[7]", firstNet, "the host's"}, {firstNet, "net:[7]", "network namespace net:[7]: run it there"},
	} {
		if got := (Place{Net: test.here}).elsewhere(test.net); (got == "") != (test.want == "") || !strings.Contains(got, test.want) {
			t.Errorf("of %s, from %s: %q, want %q", test.net, test.here, got, test.want)
		}
	}
}
