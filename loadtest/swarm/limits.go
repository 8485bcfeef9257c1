package swarm

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Limits are what a machine allows.
type Limits struct {
	Files       int   // descriptors a process may open
	SystemFiles int   // descriptors all processes may still open
	Ports       int   // ports that the kernel gives to outgoing connections of one address
	Memory      int64 // bytes available
	Cores       int
}

// ReadLimits asks this machine.
func ReadLimits() (Limits, error) {
	l := Limits{Cores: runtime.NumCPU()}
	var files unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return l, fmt.Errorf("read the file limit: %w", err)
	}
	l.Files = int(min(files.Max, 1<<30)) // every Go process raises its soft limit to it
	ports, err := numbers("/proc/sys/net/ipv4/ip_local_port_range", 2)
	if err != nil {
		return l, err
	}
	l.Ports = ports[1] - ports[0] + 1
	open, err := numbers("/proc/sys/fs/file-nr", 3)
	if err != nil {
		return l, err
	}
	l.SystemFiles = open[2] - open[0]
	if os.Geteuid() == 0 {
		l.SystemFiles = 1 << 30 // fs.file-max does not bind root
	}
	kb, err := meminfo("MemAvailable:")
	if err != nil {
		return l, err
	}
	l.Memory = kb
	return l, nil
}

// numbers reads a file of whitespace and n numbers.
func numbers(path string, n int) ([]int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := strings.Fields(string(text))
	if len(fields) < n {
		return nil, fmt.Errorf("read %s: %d numbers, want %d", path, len(fields), n)
	}
	list := make([]int, n)
	for i := range list {
		v, err := strconv.ParseUint(fields[i], 10, 64)
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
		list[i] = int(min(v, 1<<40)) // file-max may be the largest there is
	}
	return list, nil
}

// meminfo reads one line of /proc/meminfo, in bytes.
func meminfo(name string) (int64, error) {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		if len(fields) >= 2 && fields[0] == name {
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			return kb << 10, err
		}
	}
	return 0, fmt.Errorf("read /proc/meminfo: no %s", name)
}
