package kernel_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

const million = 1_000_000

// bothEnds is the usual demand, too many clients for what the tests take away.
func bothEnds() kernel.Demand { return kernel.Demand{Clients: million, SameHost: true} }

func TestFirstLimit(t *testing.T) {
	fewFiles := machine{"proc/self/limits": "Max open files 1024 20000 files\n"}
	for _, test := range []struct {
		name    string
		machine machine
		demand  kernel.Demand
		first   string
		clients kernel.Count
	}{
		{"files of one process", fewFiles, kernel.Demand{Clients: million, Single: true}, "RLIMIT_NOFILE", 19_936},
		{"files of one process, both ends", fewFiles, kernel.Demand{Clients: million, Single: true, SameHost: true}, "RLIMIT_NOFILE", 19_936},
		{"files by flag", machine{}, kernel.Demand{Clients: million, Single: true, FilesPerProcess: 3000}, "RLIMIT_NOFILE", 2936},
		{"ceiling of files", machine{"proc/sys/fs/nr_open": "1048576\n"},
			kernel.Demand{Clients: 2 * million, Single: true, FilesPerProcess: 2_500_000}, "fs.nr_open", 1_048_512},
		{"files of the host: (1,500,000 - 1,000 - 2 x 16) / 2", machine{"proc/sys/fs/file-nr": "1000\t0\t1500000\n"}, bothEnds(), "fs.file-max", 749_484},
		{"epoll watches", machine{"proc/sys/fs/epoll/max_user_watches": "218423\n"}, bothEnds(), "fs.epoll.max_user_watches", 109_211},
		{"epoll watches of servers alone", machine{"proc/sys/fs/epoll/max_user_watches": "218423\n"}, kernel.Demand{Clients: million}, "fs.epoll.max_user_watches", 218_423},
		{"ports", machine{}, kernel.Demand{Clients: million, SameHost: true, Addresses: 1}, "net.ipv4.ip_local_port_range", 28_232},
		{"ports of 3 addresses", machine{}, kernel.Demand{Clients: million, SameHost: true, Addresses: 3}, "net.ipv4.ip_local_port_range", 84_696},
		{"ports without reserved ones", machine{"proc/sys/net/ipv4/ip_local_reserved_ports": "4000,40000-40099,60999-61010\n"},
			kernel.Demand{Clients: million, SameHost: true, Addresses: 1}, "net.ipv4.ip_local_port_range", 28_131},
		{"conntrack", machine{"proc/sys/net/netfilter/nf_conntrack_max": "262144\n"}, bothEnds(), "net.netfilter.nf_conntrack_max", 262_100},
		{"memory: (1,024,000,000 - 13,000,000) / 8,900", machine{"proc/meminfo": "MemAvailable: 1000000 kB\n"}, bothEnds(), "memory", 113_595},
		{"memory of servers and one process: (1,024,000,000 - 13,000,000) / 4,950", machine{"proc/meminfo": "MemAvailable: 1000000 kB\n"},
			kernel.Demand{Clients: million, SameHost: true, OneEnd: true}, "memory", 204_242},
		{"memory of one process: (1,024,000,000 - 6,500,000) / 500", machine{"proc/meminfo": "MemAvailable: 1000000 kB\n", "proc/sys/fs/file-nr": "1000\t0\t2000\n"},
			kernel.Demand{Clients: 3 * million, Remote: true, OneEnd: true}, "memory", 2_035_000},
		{"files of servers alone: 1,500,000 - 1,000 - 2 x 16", machine{"proc/sys/fs/file-nr": "1000\t0\t1500000\n"},
			kernel.Demand{Clients: 2 * million, SameHost: true, OneEnd: true}, "fs.file-max", 1_498_968},
		{"memory of servers: (1,024,000,000 - 6,500,000) / 4,450", machine{"proc/meminfo": "MemAvailable: 1000000 kB\n"}, kernel.Demand{Clients: million}, "memory", 228_651},
		{"cgroup v2, set two levels up: (510,000,000 - 20,000,000 - 13,000,000) / 8,900", machine{
			"proc/self/cgroup":                         "0::/kube/pod/app\n",
			"sys/fs/cgroup/kube/memory.max":            "510000000\n",
			"sys/fs/cgroup/kube/memory.current":        "30000000\n",
			"sys/fs/cgroup/kube/memory.stat":           "anon 5\ninactive_file 10000000\n",
			"sys/fs/cgroup/kube/pod/memory.max":        "max\n",
			"sys/fs/cgroup/kube/pod/app/memory.max":    "900000000\n",
			"sys/fs/cgroup/kube/pod/memory.current":    "30000000\n",
			"sys/fs/cgroup/kube/pod/app/memory.stat":   "anon 5\n",
			"sys/fs/cgroup/kube/pod/app/memory.events": "oom 0\n",
		}, bothEnds(), "memory.max", 53_595},
		{"cgroup v1 below the root of the mount, as in a container: (510,000,000 - 20,000,000 - 13,000,000) / 6,500", machine{
			"proc/self/cgroup":    "4:memory:/docker/abc/inner\n8:pids:/docker/abc\n0::/docker/abc\n",
			"proc/self/mountinfo": "35 31 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/inner/memory.limit_in_bytes": "510000000\n",
			"sys/fs/cgroup/memory/inner/memory.usage_in_bytes": "30000000\n",
			"sys/fs/cgroup/memory/inner/memory.stat":           "inactive_file 7\ntotal_inactive_file 10000000\n",
		}, bothEnds(), "memory.limit_in_bytes", 73_384},
		{"cgroup v1 without a limit", machine{
			"proc/self/cgroup":                           "4:memory:/\n",
			"proc/self/mountinfo":                        "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
			"proc/meminfo":                               "MemAvailable: 1000000 kB\n",
		}, bothEnds(), "memory", 113_595},
		{"ports of clients alone", machine{}, kernel.Demand{Clients: million, Remote: true}, "net.ipv4.ip_local_port_range", 28_232},
		{"pids: (100 - 20) / 12 threads are 6 processes, 3 of them servers", fewFiles.with(machine{
			"sys/fs/cgroup/pids.max":     "100\n",
			"sys/fs/cgroup/pids.current": "20\n",
		}), bothEnds(), "pids.max", 3 * 19_800},
		{"threads: (300 - 156) / 12", fewFiles.with(machine{"proc/sys/kernel/threads-max": "300\n"}), bothEnds(), "kernel.threads-max", 6 * 19_800},
		{"process ids", fewFiles.with(machine{"proc/sys/kernel/pid_max": "300\n"}), bothEnds(), "kernel.pid_max", 6 * 19_800},
	} {
		rep := kernel.Check(bigMachine().with(test.machine).host(t), test.demand)
		if rep.First == nil || rep.Enough || rep.First.Name != test.first || rep.First.Clients != test.clients || rep.First.Verdict != kernel.Stop {
			t.Errorf("%s: Check = enough %v, first %+v, want %s at %s", test.name, rep.Enough, rep.First, test.first, test.clients)
			continue
		}
		// As many as are said to fit are enough, one more is not.
		d := test.demand
		for d.Clients = test.clients; d.Clients <= test.clients+1; d.Clients++ {
			if got, want := kernel.Check(bigMachine().with(test.machine).host(t), d).Enough, d.Clients == test.clients; got != want {
				t.Errorf("%s: %s clients: enough = %v, want %v", test.name, d.Clients, got, want)
			}
		}
	}
}

func TestVerdicts(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine machine
		limit   string
		verdict kernel.Verdict
		clients kernel.Count
	}{
		{"all is well", machine{}, "RLIMIT_NOFILE", kernel.Note, kernel.Unlimited},
		{"no end of files", machine{}, "fs.file-max", kernel.OK, kernel.Unlimited},
		{"any number of addresses", machine{}, "net.ipv4.ip_local_port_range", kernel.Note, kernel.Unlimited},
		{"conntrack without a rule", machine{"proc/sys/net/netfilter/nf_conntrack_count": "0\n", "proc/sys/net/netfilter/nf_conntrack_max": "10\n"},
			"net.netfilter.nf_conntrack_max", kernel.Note, kernel.Unlimited},
		{"no conntrack", machine{"proc/sys/net/netfilter/nf_conntrack_count": "", "proc/sys/net/netfilter/nf_conntrack_max": ""},
			"net.netfilter.nf_conntrack_max", kernel.Note, kernel.Unlimited},
		{"accept queue", machine{"proc/sys/net/core/somaxconn": "4096\n"}, "net.core.somaxconn", kernel.Slow, 4096},
		{"SYN queue with cookies", machine{"proc/sys/net/ipv4/tcp_max_syn_backlog": "128\n"}, "net.ipv4.tcp_max_syn_backlog", kernel.Note, kernel.Unlimited},
		{"SYN queue without", machine{"proc/sys/net/ipv4/tcp_max_syn_backlog": "128\n", "proc/sys/net/ipv4/tcp_syncookies": "0\n"}, "net.ipv4.tcp_max_syn_backlog", kernel.Slow, 128},
		{"buffers", machine{"proc/sys/net/ipv4/tcp_mem": "287898\t383867\t575796\n"}, "net.ipv4.tcp_mem", kernel.Slow, 575_796},
		{"packets", machine{"proc/sys/net/core/netdev_max_backlog": "1000\n"}, "net.core.netdev_max_backlog", kernel.Slow, 1000},
		{"packets in another network namespace", machine{"proc/sys/net/core/netdev_max_backlog": ""}, "net.core.netdev_max_backlog", kernel.Note, kernel.Unlimited},
		{"hash table", machine{"proc/sys/net/ipv4/tcp_ehash_entries": "262144\n"}, "net.ipv4.tcp_ehash_entries", kernel.Slow, 131_072},
		{"hash table of the first namespace", machine{"proc/sys/net/ipv4/tcp_ehash_entries": "-262144\n"}, "net.ipv4.tcp_ehash_entries", kernel.Slow, 131_072},
		{"orphans", machine{"proc/sys/net/ipv4/tcp_max_orphans": "131072\n"}, "net.ipv4.tcp_max_orphans", kernel.Slow, 131_072},
		{"TIME_WAIT", machine{"proc/sys/net/ipv4/tcp_max_tw_buckets": "5\n"}, "net.ipv4.tcp_max_tw_buckets", kernel.Note, kernel.Unlimited},
		{"drain: 90 s at 41,666 a second", machine{}, "drain time", kernel.OK, 3_749_940},
		{"cgroup that throttles: (100,000,000 - 20,000,000 - 13,000,000) / 8,900", machine{
			"sys/fs/cgroup/memory.high":    "100000000\n",
			"sys/fs/cgroup/memory.current": "30000000\n",
			"sys/fs/cgroup/memory.stat":    "anon 5\ninactive_file 10000000\n",
		}, "memory.high", kernel.Slow, 7528},
		{"cgroup that throttles late enough", machine{"sys/fs/cgroup/memory.high": "9000000000\n", "sys/fs/cgroup/memory.current": "30000000\n"},
			"memory.high", kernel.OK, 1_006_404},
		{"memory is not to be seen", machine{"proc/meminfo": ""}, "memory", kernel.Note, kernel.Unlimited},
	} {
		rep := kernel.Check(bigMachine().with(test.machine).host(t), bothEnds())
		i := slices.IndexFunc(rep.Limits, func(l kernel.Limit) bool { return l.Name == test.limit })
		if i < 0 {
			t.Errorf("%s: Check does not name %s", test.name, test.limit)
			continue
		}
		l := rep.Limits[i]
		if l.Verdict != test.verdict || l.Clients != test.clients {
			t.Errorf("%s: %s is %q up to %s, want %q up to %s", test.name, l.Name, l.Verdict, l.Clients, test.verdict, test.clients)
		}
		if !rep.Enough {
			t.Errorf("%s: Check = not enough, but nothing stops: %+v", test.name, rep.First)
		}
		if (l.Verdict == kernel.Slow) != (l.Fix != "") {
			t.Errorf("%s: %s is %q, fix %q", test.name, l.Name, l.Verdict, l.Fix)
		}
	}
}

func TestProcessesAreRoundedUp(t *testing.T) {
	h := bigMachine().with(machine{"proc/self/limits": "Max open files 1024 20000 files\n"}).host(t)
	for _, test := range []struct {
		demand           kernel.Demand
		servers, clients kernel.Count
	}{
		{kernel.Demand{Clients: 1, SameHost: true}, 1, 1},
		{kernel.Demand{Clients: 19_800, SameHost: true}, 1, 1},
		{kernel.Demand{Clients: 19_801, SameHost: true}, 2, 2},
		{kernel.Demand{Clients: million, SameHost: true}, 51, 51},
		{kernel.Demand{Clients: million}, 51, 0},
		{kernel.Demand{Clients: million, Single: true}, 1, 0},
		{kernel.Demand{Clients: million, Single: true, SameHost: true}, 1, 51},
		{kernel.Demand{Clients: 3, SameHost: true, FilesPerProcess: 100}, 3, 3}, // less than is spared
		{kernel.Demand{Clients: 900, FilesPerProcess: 1000}, 2, 0},
	} {
		rep := kernel.Check(h, test.demand)
		if rep.ServerProcesses != test.servers || rep.ClientProcesses != test.clients {
			t.Errorf("Check(%+v) = %s and %s processes, want %s and %s", test.demand, rep.ServerProcesses, rep.ClientProcesses, test.servers, test.clients)
		}
	}
}

// What a cgroup only slows down may be taken.
func TestFreeMemory(t *testing.T) {
	for _, test := range []struct {
		name    string
		machine machine
		want    kernel.Count
	}{
		{"host", bigMachine(), 64_000_000 << 10},
		{"unknown", bigMachine().with(machine{"proc/meminfo": ""}), kernel.Unknown},
		{"cgroup", v2(), 510_000_000},
		{"cgroup that throttles", v2().with(machine{"sys/fs/cgroup/kube/memory.high": "100000000\n"}), 510_000_000},
	} {
		if got := test.machine.host(t).FreeMemory(); got != test.want {
			t.Errorf("%s: FreeMemory = %s, want %s", test.name, got, test.want)
		}
	}
}

func TestReadFails(t *testing.T) {
	for name, m := range map[string]machine{
		"no /proc":        {},
		"no file limit":   bigMachine().with(machine{"proc/self/limits": "Max processes 1 2 processes\n"}),
		"a strange limit": bigMachine().with(machine{"proc/self/limits": "Max open files none none files\n"}),
		"strange mounts":  bigMachine().with(machine{"proc/self/mountinfo": "what\n"}),
	} {
		if h, err := kernel.Read(m.write(t)); err == nil {
			t.Errorf("%s: Read = %+v, want an error", name, h)
		}
	}
}

func TestReport(t *testing.T) {
	h := bigMachine().with(machine{"proc/self/limits": "Max open files unlimited unlimited files\n", "proc/sys/fs/epoll/max_user_watches": "218423\n"}).host(t)
	rep := kernel.Check(h, bothEnds())
	var text strings.Builder
	if err := rep.WriteText(&text, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"1,000,000 clients, servers and clients both here (-role: server, load or both); server processes: 1;\nclient processes: 1\n",
		"\nIn the way                                    NOW        NEEDED CLIENTS AT MOST  SCOPE\n" +
			"  fs.epoll.max_user_watches               218,423     2,000,000         109,211  user\n",
		"\n  memory                                  65.5 GB        8.9 GB",
		"First limit: fs.epoll.max_user_watches (user), at 109,211 clients. Asked for: 1,000,000.\n",
		"      To do: raise sysctl fs.epoll.max_user_watches\n",
		`"roost tune diff -role both -clients 1000000" shows the sysctls`,
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("WriteText lacks %q:\n%s", want, &text)
		}
	}
	text.Reset()
	const servers = "1,000,000 clients, the servers here, clients elsewhere (-role: server, load or both); server\nprocesses: 1\n"
	if err := kernel.Check(h, kernel.Demand{Clients: million}).WriteText(&text, false); err != nil || !strings.HasPrefix(text.String(), servers) {
		t.Errorf("WriteText of servers = %v, want %q first:\n%s", err, servers, &text)
	}
	got, err := json.Marshal(rep.Limits[0])
	const want = `{"name":"RLIMIT_NOFILE","now":"unlimited","needed":null,"scope":"process","verdict":"note","stops":false,"fits":"unlimited",` +
		`"reason":"no bound: a process holds 9,223,372,036,854,775,607 connections, and more need more processes"}`
	if err != nil || string(got) != want {
		t.Errorf("Marshal = %s, %v, want %s", got, err, want)
	}
}

func TestCountString(t *testing.T) {
	for n, want := range map[kernel.Count]string{0: "0", 999: "999", 1000: "1,000", 1234567: "1,234,567", kernel.Unknown: "-", kernel.Unlimited: "unlimited"} {
		if got := n.String(); got != want {
			t.Errorf("Count(%d).String() = %q, want %q", int64(n), got, want)
		}
	}
}
