package conduct

import (
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/kernel"
	"github.com/roost-rt/roost/loadtest/record"
)

// readMachine describes this host. Fields that could not be read are empty.
func readMachine() record.Machine {
	m := record.Machine{CPU: cpuName(), Cores: runtime.NumCPU(), Go: runtime.Version(), MemoryBytes: int64(max(0, root.MemoryTotal()))}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		m.OS = unix.ByteSliceToString(u.Sysname[:]) + " " + unix.ByteSliceToString(u.Release[:])
	}
	return m
}

func cpuName() string {
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}

// readKernel lists the settings that bound a run.
func readKernel(files kernel.Count) []record.Setting {
	list := []record.Setting{{Name: "RLIMIT_NOFILE", Value: files.String()}}
	for _, name := range []string{
		"fs.nr_open", "fs.file-max", "fs.epoll.max_user_watches",
		"net.ipv4.ip_local_port_range", "net.core.somaxconn", "net.ipv4.tcp_max_syn_backlog",
		"net.ipv4.tcp_mem", "net.core.netdev_max_backlog", "net.ipv4.tcp_child_ehash_entries",
		"net.ipv4.tcp_congestion_control", "net.netfilter.nf_conntrack_max",
	} {
		if value, err := root.Sysctl(name); err == nil {
			list = append(list, record.Setting{Name: name, Value: strings.Join(strings.Fields(value), " ")})
		}
	}
	return list
}

// root is the host whose limits are read, and how often each was hit.
const root = kernel.Root("/")
