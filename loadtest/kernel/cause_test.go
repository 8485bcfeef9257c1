package kernel_test

import (
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// v1 has its cgroups in /docker/abc, as a container of cgroup version 1 does.
func v1() machine {
	return bigMachine().with(machine{
		"proc/self/cgroup":    "4:memory:/docker/abc\n8:pids:/docker/abc\n",
		"proc/self/mountinfo": "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n36 31 0:33 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n",
		"sys/fs/cgroup/memory/docker/abc/memory.limit_in_bytes": "510000000\n",
		"sys/fs/cgroup/memory/docker/abc/memory.oom_control":    "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n",
		"sys/fs/cgroup/pids/docker/abc/pids.max":                "100\n",
		"sys/fs/cgroup/pids/docker/abc/pids.events":             "max 2\n",
	})
}

// v2 has its cgroups in /kube/pod, with limits on both levels.
func v2() machine {
	return bigMachine().with(machine{
		"proc/self/cgroup":                     "0::/kube/pod\n",
		"sys/fs/cgroup/kube/memory.max":        "2000000000\n",
		"sys/fs/cgroup/kube/memory.events":     "low 0\nhigh 0\nmax 9\noom 1\noom_kill 1\n",
		"sys/fs/cgroup/kube/pod/memory.max":    "510000000\n",
		"sys/fs/cgroup/kube/pod/memory.events": "low 0\nhigh 0\nmax 8\noom 1\noom_kill 1\n",
		"sys/fs/cgroup/kube/pod/pids.max":      "100\n",
		"sys/fs/cgroup/kube/pod/pids.events":   "max 2\n",
	})
}

func TestDiagnose(t *testing.T) {
	full := kernel.Files{Process: "server process 3 (pid 42)", Open: 19_994, Max: 20_000}
	free := kernel.Files{Process: "server process 2 (pid 41)", Open: 19_935, Max: 20_000}
	unread := kernel.Files{Process: "server process 1 (pid 40)", Open: kernel.Unknown, Max: kernel.Unknown}
	errors := func(list ...syscall.Errno) (texts []string) {
		for _, e := range list {
			texts = append(texts, "client 7: dial tcp 127.0.0.1:4000: "+e.Error()+" (3 times)")
		}
		return texts
	}
	for _, test := range []struct {
		name     string
		machine  machine // before the run
		change   machine // of it, in the time of the run
		symptoms kernel.Symptoms
		cause    string
		scope    kernel.Scope
		evidence string // a part of it
		fix      string // a part of it
	}{
		{"a full process", bigMachine(), nil, kernel.Symptoms{Files: []kernel.Files{unread, free, full}},
			"RLIMIT_NOFILE", kernel.Process, "server process 3 (pid 42) has 19,994 of 20,000 files open", "ulimit -Hn"},
		{"killed by somebody, while packets were dropped", bigMachine(), machine{"proc/net/softnet_stat": "00000000 000000ff\n"},
			kernel.Symptoms{Errors: []string{"client process 0 (pid 42): signal: killed"}}, "", "", "somebody killed a process; it was not the kernel's OOM killer: client process 0", ""},
		{"EMFILE", bigMachine(), nil, kernel.Symptoms{Errors: errors(syscall.ECONNRESET, syscall.EMFILE)},
			"RLIMIT_NOFILE", kernel.Process, "clients got: too many open files", "ulimit -Hn"},
		{"ENFILE, of which EMFILE is the beginning", bigMachine(), nil, kernel.Symptoms{Errors: errors(syscall.EMFILE, syscall.ENFILE)},
			"fs.file-max", kernel.Machine, "clients got: too many open files in system", "raise sysctl fs.file-max"},
		{"no port is free", bigMachine(), nil, kernel.Symptoms{Errors: errors(syscall.EADDRNOTAVAIL)},
			"net.ipv4.ip_local_port_range", kernel.Namespace, "clients got: cannot assign requested address", "connect from more addresses"},
		{"epoll watches", bigMachine(), nil, kernel.Symptoms{Errors: errors(syscall.ENOSPC)},
			"fs.epoll.max_user_watches", kernel.User, "clients got: no space left on device", "raise sysctl fs.epoll.max_user_watches"},
		{"memory of a cgroup, version 1", v1(), machine{"sys/fs/cgroup/memory/docker/abc/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 4\n"}, kernel.Symptoms{},
			"memory.limit_in_bytes", kernel.Cgroup, "cgroup /docker/abc has 510.0 MB: processes killed for it: 3", "docker -m"},
		{"memory of a cgroup, version 2", v2(), machine{
			"sys/fs/cgroup/kube/memory.events":     "max 9\noom 3\noom_kill 3\n",
			"sys/fs/cgroup/kube/pod/memory.events": "max 9\noom 3\noom_kill 3\n",
		}, kernel.Symptoms{}, "memory.max", kernel.Cgroup, "cgroup /kube/pod has 510.0 MB: processes killed for it: 2", "MemoryMax="},
		{"memory of the outer cgroup, whose victim was in the inner", v2(), machine{
			"sys/fs/cgroup/kube/memory.events":     "max 9\noom 3\noom_kill 3\n",
			"sys/fs/cgroup/kube/pod/memory.events": "max 9\noom 1\noom_kill 3\n",
		}, kernel.Symptoms{}, "memory.max", kernel.Cgroup, "cgroup /kube has 2.0 GB: processes killed for it: 2", "MemoryMax="},
		{"memory of the host, whose victim was in a cgroup", v2(), machine{
			"sys/fs/cgroup/kube/memory.events":     "max 9\noom 1\noom_kill 3\n",
			"sys/fs/cgroup/kube/pod/memory.events": "max 9\noom 1\noom_kill 3\n",
			"proc/vmstat":                          "oom_kill 2\n",
		}, kernel.Symptoms{}, "memory", kernel.Machine, "the kernel killed 2 processes because it ran out of memory", "add memory"},
		{"threads of a cgroup", v2(), machine{"sys/fs/cgroup/kube/pod/pids.events": "max 7\n"}, kernel.Symptoms{},
			"pids.max", kernel.Cgroup, "cgroup /kube/pod has 100: the kernel refused 5 threads or processes", "TasksMax="},
		{"memory of the host", bigMachine(), machine{"proc/vmstat": "oom_kill 1\n"}, kernel.Symptoms{},
			"memory", kernel.Machine, "the kernel killed 1 processes because it ran out of memory", "add memory"},
		{"connections tracked", bigMachine(), machine{"proc/net/stat/nf_conntrack": conntrackStat("0000000a")}, kernel.Symptoms{},
			"net.netfilter.nf_conntrack_max", kernel.Machine, "the table of connections was full: 10 packets were dropped", "remove the firewall rule"},
		{"connections tracked, but none before the run", bigMachine().with(machine{"proc/sys/net/netfilter/nf_conntrack_count": "0\n"}),
			machine{"proc/net/stat/nf_conntrack": conntrackStat("0000000a")}, kernel.Symptoms{},
			"net.netfilter.nf_conntrack_max", kernel.Machine, "10 packets were dropped", "remove the firewall rule"},
		{"accept queue", bigMachine(), machine{"proc/net/netstat": netstat("ListenOverflows", "12")}, kernel.Symptoms{},
			"net.core.somaxconn", kernel.Namespace, "the queue of a listener was full 12 times", "raise sysctl net.core.somaxconn"},
		{"SYN queue", bigMachine(), machine{"proc/net/netstat": netstat("TCPReqQFullDrop", "12")}, kernel.Symptoms{},
			"net.ipv4.tcp_max_syn_backlog", kernel.Namespace, "12 half-open connections were dropped", "net.ipv4.tcp_syncookies=1"},
		{"packets", bigMachine(), machine{"proc/net/softnet_stat": "00000009 00000001 0\n00000009 00000002 0\n"}, kernel.Symptoms{},
			"net.core.netdev_max_backlog", kernel.Machine, "3 packets were dropped because too many came at once", "raise sysctl net.core.netdev_max_backlog"},
		{"buffers", bigMachine(), machine{"proc/net/netstat": netstat("TCPRcvQDrop", "5")}, kernel.Symptoms{},
			"net.ipv4.tcp_mem", kernel.Machine, "5 packets or connections were dropped for lack of buffers", "raise sysctl net.ipv4.tcp_mem"},
		{"a cgroup that throttles", v2().with(machine{"sys/fs/cgroup/kube/memory.high": "400000000\n"}),
			machine{"sys/fs/cgroup/kube/memory.events": "high 20\noom 1\noom_kill 1\n"}, kernel.Symptoms{},
			"memory.high", kernel.Cgroup, "cgroup /kube has 400.0 MB: the kernel made its processes wait 20 times", "MemoryHigh="},
		{"the server", bigMachine(), machine{"proc/net/netstat": netstat("ListenOverflows", "12")},
			kernel.Symptoms{Errors: []string{"connection closed by the server", "join refused", "upgrade: HTTP 503"}},
			"the server", "", "it answered: join refused; upgrade: HTTP 503", "its own limits"},
		{"something else", bigMachine(), nil, kernel.Symptoms{Errors: []string{"tls: failed to verify certificate"}},
			"", "", "as its counters show; clients got: tls: failed to verify certificate", ""},
		{"nothing", v2(), nil, kernel.Symptoms{Files: []kernel.Files{unread, free}, Errors: errors(syscall.ECONNREFUSED)},
			"", "", "no limit of this host was hit", ""},
	} {
		s := test.symptoms
		s.Demand = bothEnds()
		s.Before, s.After = test.machine.write(t).Tally(), test.machine.with(test.change).write(t).Tally()
		h := test.machine.host(t)
		for _, h.FilesExempt = range []bool{false, true} { // root's servers may be another's
			c := h.Diagnose(s)
			if c.Name != test.cause || c.Scope != test.scope || !strings.Contains(c.Evidence, test.evidence) || !strings.Contains(c.Fix, test.fix) || (c.Fix == "") != (test.fix == "") {
				t.Errorf("%s: Diagnose = %+v, want %s (%s) with %q and %q", test.name, c, test.cause, test.scope, test.evidence, test.fix)
			}
		}
	}
}

// A sign that leaves no doubt comes before one that may have another reason.
func TestDiagnoseTheSurestFirst(t *testing.T) {
	s := kernel.Symptoms{
		Demand: bothEnds(),
		Errors: []string{syscall.EADDRNOTAVAIL.Error()},
		Files:  []kernel.Files{{Process: "server process 1", Open: 20_000, Max: 20_000}},
		Before: v2().write(t).Tally(),
		After: v2().with(machine{
			"sys/fs/cgroup/kube/pod/memory.events": "oom 2\noom_kill 2\n",
			"proc/vmstat":                          "oom_kill 1\n",
			"proc/net/netstat":                     netstat("ListenOverflows", "12"),
		}).write(t).Tally(),
	}
	h := v2().host(t)
	for _, step := range []struct {
		want string
		gone func() // takes that sign away
	}{
		{"RLIMIT_NOFILE", func() { s.Files = nil }},
		{"net.ipv4.ip_local_port_range", func() { s.Errors = nil }},
		{"memory.max", func() { h.Groups = nil }},
		{"memory", func() { delete(s.After, "memory") }},
		{"net.core.somaxconn", func() { s.After = nil }},
		{"", func() {}},
	} {
		if got := h.Diagnose(s); got.Name != step.want {
			t.Errorf("Diagnose = %+v, want %q", got, step.want)
		}
		step.gone()
	}
}
