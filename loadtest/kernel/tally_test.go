package kernel_test

import (
	"fmt"
	"maps"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// netstat is /proc/net/netstat with one counter of TcpExt.
func netstat(name, count string) string {
	return "TcpExt: SyncookiesSent " + name + " TCPTimeouts\nTcpExt: 7 " + count + " 8\nIpExt: InNoRoutes " + name + "\nIpExt: 900 901\n"
}

// conntrackStat is /proc/net/stat/nf_conntrack of a machine with one processor.
func conntrackStat(drop string) string {
	return "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n" +
		"00040000  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 " + drop + " 00000000 0000000c  0000000d 0000000e 0000000f 00000010\n"
}

func TestTally(t *testing.T) {
	none := kernel.Tally{}
	for _, name := range []string{"net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog", "net.ipv4.tcp_mem", "net.core.netdev_max_backlog", "net.netfilter.nf_conntrack_max", "memory"} {
		none[name] = 0
	}
	for _, test := range []struct {
		name    string
		machine machine
		want    kernel.Tally // besides the zeros
	}{
		{"no counter can be read", bigMachine(), nil},
		{"no /proc", machine{}, nil},
		{"accept queue", machine{"proc/net/netstat": netstat("ListenOverflows", "12")}, kernel.Tally{"net.core.somaxconn": 12}},
		{"SYN queue", machine{"proc/net/netstat": netstat("TCPReqQFullDrop", "12")}, kernel.Tally{"net.ipv4.tcp_max_syn_backlog": 12}},
		{"buffers, two counters", machine{"proc/net/netstat": "TcpExt: TCPRcvQDrop TCPAbortOnMemory\nTcpExt: 3 4\n"}, kernel.Tally{"net.ipv4.tcp_mem": 7}},
		{"fewer numbers than names", machine{"proc/net/netstat": "TcpExt: TCPRcvQDrop ListenOverflows\nTcpExt: 3\n"}, kernel.Tally{"net.ipv4.tcp_mem": 3}},
		{"packets of two processors, hexadecimal", machine{"proc/net/softnet_stat": "ffffffff 00000010 00000003\n00000001 00000001 00000004\n"},
			kernel.Tally{"net.core.netdev_max_backlog": 17}},
		{"conntrack, hexadecimal", machine{"proc/net/stat/nf_conntrack": conntrackStat("00000010")}, kernel.Tally{"net.netfilter.nf_conntrack_max": 16}},
		{"conntrack, two counters of two processors, in another order", machine{"proc/net/stat/nf_conntrack": "early_drop entries drop\n1 2 3\n4 5 6\n"},
			kernel.Tally{"net.netfilter.nf_conntrack_max": 14}},
		{"memory of the host", machine{"proc/vmstat": "pgfault 99\noom_kill 2\n"}, kernel.Tally{"memory": 2}},
		{"cgroups, version 1", v1(), kernel.Tally{"memory.limit_in_bytes of /docker/abc": 1, "pids.max of /docker/abc": 2}},
		{"cgroups, version 2", v2(), kernel.Tally{"memory.max of /kube": 1, "memory.max of /kube/pod": 1, "pids.max of /kube/pod": 2}},
		{"cgroup that throttles", v2().with(machine{"sys/fs/cgroup/kube/memory.high": "400000000\n", "sys/fs/cgroup/kube/memory.events": "high 20\noom 1\noom_kill 1\n"}),
			kernel.Tally{"memory.max of /kube": 1, "memory.high of /kube": 20, "memory.max of /kube/pod": 1, "pids.max of /kube/pod": 2}},
		{"cgroup whose events cannot be read", v2().with(machine{"sys/fs/cgroup/kube/pod/memory.events": "", "sys/fs/cgroup/kube/pod/pids.events": "what\n"}),
			kernel.Tally{"memory.max of /kube": 1, "memory.max of /kube/pod": 0, "pids.max of /kube/pod": 0}},
	} {
		want := maps.Clone(none)
		maps.Copy(want, test.want)
		if got := test.machine.write(t).Tally(); !maps.Equal(got, want) {
			t.Errorf("%s: Tally = %v, want %v", test.name, got, want)
		}
	}
}

func TestFilesOf(t *testing.T) {
	process := machine{"proc/42/limits": "Limit Soft Hard Units\nMax open files            7                 20000                files\n"}
	for i := range 5 {
		process[fmt.Sprintf("proc/42/fd/%d", i)] = "x"
	}
	for _, test := range []struct {
		name    string
		machine machine
		want    kernel.Files
	}{
		{"5 files, the soft limit counts", process, kernel.Files{Process: "server (pid 42)", Open: 5, Max: 7}},
		{"no limits", process.with(machine{"proc/42/limits": ""}), kernel.Files{Process: "server (pid 42)", Open: 5, Max: kernel.Unknown}},
		{"gone", machine{}, kernel.Files{Process: "server (pid 42)", Open: kernel.Unknown, Max: kernel.Unknown}},
	} {
		if got := test.machine.write(t).FilesOf(42, "server"); got != test.want {
			t.Errorf("%s: FilesOf = %+v, want %+v", test.name, got, test.want)
		}
	}
}
