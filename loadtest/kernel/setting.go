package kernel

import (
	"slices"
	"strconv"
	"strings"
)

// A Setting is a sysctl that many clients need higher than Linux has it.
type Setting struct {
	Key    string
	Value  []int64 // at least
	Scope  Scope   // Namespace: each container may have its own; Machine: the first namespaces only
	Reason string
}

// Settings are those for n clients of a host with a role, with room to spare for
// both ends: they are bounds, not reservations. Apply makes those that [Check]
// finds too low.
func Settings(role Role, clients Count) []Setting {
	return slices.DeleteFunc(allSettings(int64(clients)), func(s Setting) bool {
		listens := s.Key == "net.core.somaxconn" || s.Key == "net.ipv4.tcp_max_syn_backlog"
		return role == Load && listens || role != Load && s.connects()
	})
}

func allSettings(n int64) []Setting {
	return []Setting{
		{"fs.nr_open", []int64{2*n + 100_000}, Machine, "maximum of LimitNOFILE of the service"},
		{"fs.file-max", []int64{4*n + 500_000}, Machine, "open files of the whole host: one for each end of a connection; only CAP_SYS_ADMIN of the host is exempt"},
		{"fs.epoll.max_user_watches", []int64{3*n + 1000}, Machine, "one for each end of a connection"},
		{"net.core.somaxconn", []int64{longestBacklog}, Namespace, "the accept queue; connects beyond it wait for seconds, without an error"},
		{"net.ipv4.tcp_max_syn_backlog", []int64{longestBacklog}, Namespace, "half-open connections, where tcp_syncookies is off"},
		{"net.ipv4.tcp_mem", []int64{parts(n, 2), parts(5*n, 4), 2 * n}, Machine, "pages; a broadcast that is read late takes one for each client"},
		{"net.core.netdev_max_backlog", []int64{softirqBurst}, Machine, "packets of timers at once; more are dropped silently"},
		{"net.ipv4.tcp_max_orphans", []int64{unackedCloses}, Machine, "closed sockets whose FIN is unanswered"},
		{"net.netfilter.nf_conntrack_max", []int64{2 * n}, Machine, "connections tracked by the firewall; it is better not to track them, which costs 20 % of the CPU of a message"},
		{portRange, []int64{1024, 65535}, Namespace, "ports of connections to one address of a server; nothing listens on a load machine but its agent"},
		{timeWaitReuse, []int64{1}, Namespace, "ports of the previous run are in TIME_WAIT for a minute"},
	}
}

// The settings of a host that connects are no bounds to raise: one is a range, whose ends
// move apart, the other must be as it is above.
const (
	portRange     = "net.ipv4.ip_local_port_range"
	timeWaitReuse = "net.ipv4.tcp_tw_reuse"
)

func (s Setting) connects() bool { return s.Key == portRange || s.Key == timeWaitReuse }

// settingOf returns the setting of that name, an empty one if there is none.
func settingOf(key string) Setting {
	for _, s := range allSettings(1) {
		if s.Key == key {
			return s
		}
	}
	return Setting{}
}

// raised is old with each number raised to the setting's, in the form it has in
// /proc/sys. It is old itself if nothing is too low or old cannot be read.
func (s Setting) raised(old string) string {
	fields := strings.Fields(old)
	if len(fields) != len(s.Value) {
		return old
	}
	higher := false
	for i, want := range s.Value {
		now, err := strconv.ParseInt(fields[i], 10, 64)
		if err != nil { // more than an int64 is enough
			continue
		}
		if s.falls(i, now) {
			fields[i], higher = strconv.FormatInt(want, 10), true
		}
	}
	if !higher {
		return old
	}
	return strings.Join(fields, "\t")
}

// falls reports whether number i, which is now, falls short of the setting.
func (s Setting) falls(i int, now int64) bool {
	switch {
	case s.Key == portRange && i == 0:
		return now > s.Value[i]
	case s.Key == timeWaitReuse:
		return now != s.Value[i]
	}
	return now < s.Value[i]
}

// sameValue compares values of /proc/sys, whatever the white space.
func sameValue(a, b string) bool { return slices.Equal(strings.Fields(a), strings.Fields(b)) }

// An Omission is an entry of published tuning lists that is left out.
type Omission struct{ Entry, Reason string }

// Omissions returns the omissions for a host with a role: settings of the lists that are
// copied most.
func Omissions(role Role) []Omission {
	list := []Omission{
		{"net.ipv4.tcp_tw_recycle", "gone since Linux 4.12; it broke clients behind NAT"},
		{"net.ipv4.tcp_fin_timeout", "is about FIN_WAIT2 only, not TIME_WAIT"},
		{"net.ipv4.tcp_max_tw_buckets", "past it TIME_WAIT is skipped, connections are fine"},
		{"net.ipv4.tcp_low_latency", "does nothing since Linux 4.14"},
		{"net.ipv4.tcp_mem=10000000 x3", "40 GB: no limit before the OOM killer; idle sockets need none"},
		{"net.ipv4.tcp_rmem, tcp_wmem=... 16384", "an idle socket takes no buffer; it only caps the window"},
		{"net.core.rmem_max, wmem_max=16384", "only caps setsockopt, and contradicts tcp_rmem"},
		{"vm.max_map_count", "for a thread or a stack mapping per connection; there is none"},
		{"kernel.pid_max, threads-max", "for a thread per connection; there is none"},
	}
	if role != Load {
		return append([]Omission{
			{"net.ipv4.ip_local_port_range", "clients here take more addresses; a wide range has ports that servers want"},
			{"net.ipv4.tcp_tw_reuse=1", "the default 2 covers loopback; servers do not connect"},
		}, list...)
	}
	return append([]Omission{
		{"net.core.somaxconn", "the queue of a listener; a load machine connects"},
		{"net.ipv4.tcp_max_syn_backlog", "likewise"},
		{"net.ipv4.neigh.default.gc_thresh*", "one entry for each neighbour, the server or a router; it needs a route for a prefix of -from"},
		{"net.ipv6.neigh.default.gc_thresh*", "likewise"},
		{"net.ipv6.ip_nonlocal_bind", "-from binds addresses of a prefix without it (IPV6_FREEBIND)"},
		{"TimeoutStopSec=, TimerSlackNSec=", "of a service; clients are started from a login or by the agent"},
	}, list...)
}
