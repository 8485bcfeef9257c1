package kernel

import (
	"fmt"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
)

// A Host holds the limits of a machine and their usage. A file that cannot be read makes
// its number Unknown: a container shows less than a host.
type Host struct {
	FilesSoft, FilesHard Count // RLIMIT_NOFILE of this process
	NrOpen               Count // fs.nr_open, what a process may raise its limit to
	FileMax, FilesOpen   Count // of the whole host
	EpollWatches         Count // of a user

	Ports                        Count // for outgoing connections of one address, reserved ones taken off
	Conntrack, ConntrackMax      Count // both Unknown if the module is not loaded
	Somaxconn                    Count
	SynBacklog                   Count
	SynCookies                   Count // 0 is off
	TCPPages                     Count // net.ipv4.tcp_mem, the last of the three
	Orphans, TimeWait, HashSlots Count
	Neighbours                   Count // net.ipv4.neigh.default.gc_thresh3
	TimeWaitReuse                Count // net.ipv4.tcp_tw_reuse: 1 is on, 2 for loopback alone
	NetBacklog                   Count // net.core.netdev_max_backlog

	Memory             Count // bytes available to new processes
	Threads            Count // that there are
	ThreadsMax, PidMax Count
	Groups             []Group // cgroups of this process that limit something
	Processors         int     // of the machine
	Quota              Quota   // of the cgroups of this process
	Cores              int     // processors that may be used at a time: fewer than there are if there is a quota
	FilesExempt        bool    // fs.file-max does not bind this process
	TUN                bool    // this process may make a network namespace, and a TUN device in it
	BPF                bool    // and load a program that takes the device's packets
}

// Here is the host that this process is on.
func Here() (Host, error) {
	return Read("/")
}

// Read asks the machine below r. It fails if that is not Linux with a /proc.
func Read(r Root) (Host, error) {
	h := Host{
		NrOpen:        r.sysctl("fs.nr_open"),
		FileMax:       r.count("proc/sys/fs/file-nr", 2),
		FilesOpen:     r.count("proc/sys/fs/file-nr", 0),
		EpollWatches:  r.sysctl("fs.epoll.max_user_watches"),
		Ports:         r.ports(),
		Conntrack:     r.sysctl("net.netfilter.nf_conntrack_count"),
		ConntrackMax:  r.sysctl("net.netfilter.nf_conntrack_max"),
		Somaxconn:     r.sysctl("net.core.somaxconn"),
		SynBacklog:    r.sysctl("net.ipv4.tcp_max_syn_backlog"),
		SynCookies:    r.sysctl("net.ipv4.tcp_syncookies"),
		TCPPages:      r.count(sysctl("net.ipv4.tcp_mem"), 2),
		Orphans:       r.sysctl("net.ipv4.tcp_max_orphans"),
		TimeWait:      r.sysctl("net.ipv4.tcp_max_tw_buckets"),
		NetBacklog:    r.sysctl("net.core.netdev_max_backlog"),
		ThreadsMax:    r.sysctl("kernel.threads-max"),
		PidMax:        r.sysctl("kernel.pid_max"),
		Threads:       r.threads(),
		HashSlots:     Unknown,
		Memory:        r.MemoryAvailable(),
		Processors:    runtime.NumCPU(),
		Quota:         r.quota(),
		FilesExempt:   r.filesExempt(),
		TUN:           r.tun(),
		BPF:           r.tun() && r.inFirstUsers() && r.isLinux(6, 6), // TCX
		TimeWaitReuse: r.sysctl("net.ipv4.tcp_tw_reuse"),
		Neighbours:    r.sysctl("net.ipv4.neigh.default.gc_thresh3"),
	}
	h.Cores = h.Processors
	if q := h.Quota.Processors; q > 0 {
		h.Cores = max(1, min(h.Cores, int(math.Ceil(q))))
	}
	if n := r.numbers(sysctl("net.ipv4.tcp_ehash_entries")); len(n) == 1 {
		h.HashSlots = Count(max(n[0], -n[0])) // negative: the table of the first network namespace
	}
	var err error
	if h.FilesSoft, h.FilesHard, err = r.files("proc/self/limits"); err != nil {
		return h, err
	}
	if h.Groups, err = r.groups(); err != nil {
		return h, err
	}
	return h, nil
}

// files is RLIMIT_NOFILE as a file such as /proc/self/limits has it. Of a Go program soft is as high as hard: it raises it
// when it starts, and so does the server.
func (r Root) files(file string) (soft, hard Count, err error) {
	const name = "Max open files"
	text, err := r.text(file)
	if err != nil {
		return 0, 0, err
	}
	for line := range strings.Lines(text) {
		if rest, found := strings.CutPrefix(line, name); found {
			if f := strings.Fields(rest); len(f) >= 2 {
				soft, hard = parseCount(f[0]), parseCount(f[1])
			}
			if hard.known() && hard > 0 {
				return soft, hard, nil
			}
		}
	}
	return 0, 0, fmt.Errorf("read %s: no %q with two numbers", r.path(file), name)
}

// ports counts the range without those in ip_local_reserved_ports, a list such
// as 8080,9148-9150.
func (r Root) ports() Count {
	bounds := r.numbers(sysctl("net.ipv4.ip_local_port_range"))
	if len(bounds) != 2 {
		return Unknown
	}
	low, high := bounds[0], bounds[1]
	n := high - low + 1
	reserved, err := r.text(sysctl("net.ipv4.ip_local_reserved_ports"))
	if err != nil && !os.IsNotExist(err) {
		return Unknown
	}
	for part := range strings.SplitSeq(reserved, ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseInt(first, 10, 64)
		b, errB := strconv.ParseInt(last, 10, 64)
		if errA == nil && errB == nil {
			n -= max(0, min(b, high)-max(a, low)+1) // the kernel merges what overlaps
		}
	}
	return Count(max(0, n))
}

// threads is the second half of "7/156" in /proc/loadavg.
func (r Root) threads() Count {
	text, err := r.text("proc/loadavg")
	if err != nil {
		return Unknown
	}
	if f := strings.Fields(text); len(f) > 3 {
		if _, total, found := strings.Cut(f[3], "/"); found {
			return parseCount(total)
		}
	}
	return Unknown
}

// entries is how many files a folder in /proc has. Since Linux 6.2 the size of
// /proc/PID/fd says it; reading the folder costs memory for each.
func (r Root) entries(folder string) Count {
	info, err := os.Stat(r.path(folder))
	if err != nil {
		return Unknown
	}
	if r == "/" && info.Size() > 0 {
		return Count(info.Size())
	}
	list, err := os.ReadDir(r.path(folder))
	if err != nil {
		return Unknown
	}
	return Count(len(list))
}
