package kernel

import "fmt"

const (
	// longestBacklog is the part of somaxconn that listen(2) can use in practice: at
	// 65,535 no connect of a burst of 8,000 waited, at 4,096 every third did.
	longestBacklog = 65_535

	// softirqBurst is how many packets of the loopback device were seen to wait
	// at once: with 300,000 none of a million connections' probes was lost.
	softirqBurst = 300_000

	// unackedCloses is how many FINs may wait for their answer.
	unackedCloses = 262_144
)

func (h Host) networkRules(l layout) []rule {
	upTo := func(most int64) func(int64) int64 { return func(n int64) int64 { return min(n, most) } }
	ends := func(n int64) int64 { return n * l.ends() }
	return []rule{
		h.portRule(l),
		h.reuseRule(l),
		h.neighbourRule(l),
		h.conntrackRule(),
		l.listens(rule{
			name: "net.core.somaxconn", scope: Namespace, have: h.Somaxconn, need: upTo(longestBacklog),
			reason: "connects at once; while the queue is full, more are dropped without an error and wait 1 s, 2 s, 3 s",
			fix:    "raise sysctl net.core.somaxconn, then restart the server: it counts at listen(2)",
		}),
		l.listens(h.synRule()),
		{
			name: "net.ipv4.tcp_mem", unit: "pages", scope: Machine, have: h.TCPPages, need: upTo(mostClients),
			reason: "idle sockets take none, an unread message takes one; past it the second is dropped and retransmitted",
			fix:    "raise sysctl net.ipv4.tcp_mem",
		},
		l.loops(rule{
			name: "net.core.netdev_max_backlog", unit: "packets", scope: Machine, have: h.NetBacklog, need: upTo(softirqBurst),
			reason: "packets of timers (keepalive, retransmits) at once; past it they are dropped silently",
			fix:    "raise sysctl net.core.netdev_max_backlog",
		}),
		{
			name: "net.ipv4.tcp_ehash_entries", scope: Machine, have: h.HashSlots, need: ends,
			reason: "past it sockets share a slot: eight to a slot cost 20 % of the CPU time of a message",
			fix:    "boot with thash_entries=, or set net.ipv4.tcp_child_ehash_entries and run in a new network namespace",
		},
		{
			name: "net.ipv4.tcp_max_orphans", scope: Machine, have: h.Orphans, need: upTo(unackedCloses),
			reason: "closed sockets whose FIN is unanswered; past it they are reset, and the log says so",
			fix:    "raise sysctl net.ipv4.tcp_max_orphans",
		},
		{
			name: "net.ipv4.tcp_max_tw_buckets", scope: Namespace, have: h.TimeWait,
			reason: "no bound: past it a closed connection just skips TIME_WAIT",
		},
		l.listens(rule{
			name: "drain time", unit: "s", scope: Process, have: stopSeconds,
			need:   func(n int64) int64 { return parts(n*l.ends(), 2*closeRate) },
			reason: "to close all; systemd kills a service after TimeoutStopSec, 90 s unless set",
			fix:    "raise TimeoutStopSec= of the service",
		}),
	}
}

// listens is r where servers are, and a note where none is.
func (l layout) listens(r rule) rule {
	if l.Remote {
		r.need, r.reason = nil, "no bound here: it is for hosts that listen"
	}
	return r
}

// loops is r where packets may take the loopback device.
func (l layout) loops(r rule) rule {
	if l.Remote {
		r.need, r.reason = nil, "no bound here: packets come through a network card, which has queues of its own"
	}
	return r
}

// reuseRule is about ports of connections that clients closed: they are in TIME_WAIT
// for a minute.
func (h Host) reuseRule(l layout) rule {
	r := rule{name: timeWaitReuse, scope: Namespace, have: h.TimeWaitReuse}
	switch {
	case !l.Remote || l.OneEnd:
		r.reason = "no bound here: the default covers loopback, and servers do not connect"
		return r
	case h.TimeWaitReuse == 1:
		r.reason = "no bound: it is on, and a port in TIME_WAIT can be reused after 1 s"
		return r
	}
	addresses := max(1, int64(l.Addresses))
	r.unit, r.have = "ports", h.Ports
	r.need = func(n int64) int64 { return 2 * parts(n, addresses) }
	r.reason = "ports for two runs: those of the previous run stay in TIME_WAIT for 60 s, because it is on for loopback only"
	r.fix = "set sysctl net.ipv4.tcp_tw_reuse=1, wait a minute between runs, or " + morePorts
	return r
}

// neighbourRule says why the size of the neighbour tables does not limit a load machine.
func (h Host) neighbourRule(l layout) rule {
	r := rule{name: "net.ipv4.neigh.default.gc_thresh3", scope: Namespace, have: h.Neighbours}
	r.reason = "no bound: one entry for each neighbour; clients from elsewhere come through a router"
	if l.Remote {
		r.reason = "no bound: one entry for each neighbour, the server or a router; but many addresses of -from fill that neighbour's table, unless it has a route to them through this host"
	}
	return r
}

const morePorts = "connect from more addresses (-from), listen on more ports, or widen sysctl net.ipv4.ip_local_port_range"

// portRule is about ports of outgoing connections. Servers need none.
func (h Host) portRule(l layout) rule {
	r := rule{name: "net.ipv4.ip_local_port_range", unit: "ports", scope: Namespace, have: h.Ports}
	addresses := l.Addresses
	switch {
	case l.OneEnd:
		r.reason = "no bound: clients whose TCP is in their process have addresses and ports of their own"
		return r
	case l.Remote:
		addresses = max(1, addresses)
	case !l.SameHost:
		r.reason = "no bound here: the clients' hosts need ports, one for each connection from an address to a server"
		return r
	case addresses == 0:
		r.reason = "no bound: clients connect from as many addresses of 127.0.0.0/8 as it takes"
		return r
	}
	r.need = func(n int64) int64 {
		if !l.Single && !l.Remote && !l.OneAddress { // each server process listens on a port of its own
			n = min(n, l.perProcess())
		}
		return parts(n, int64(addresses))
	}
	r.stops = true
	r.reason = fmt.Sprintf("connections from one of the clients' addresses (%s) to one address of a server; past it connect fails with EADDRNOTAVAIL, and from half of it on it is 30 times slower", addresses)
	r.fix = morePorts
	return r
}

// conntrackRule: a module alone costs nothing, a rule that asks for the state of
// a connection has every one tracked.
func (h Host) conntrackRule() rule {
	r := rule{name: "net.netfilter.nf_conntrack_max", scope: Machine, have: h.ConntrackMax}
	r.fix = "remove the firewall rule (notrack), or raise sysctl net.netfilter.nf_conntrack_max"
	switch {
	case !h.ConntrackMax.known():
		r.reason = "no bound: conntrack is not loaded"
	case h.Conntrack <= 0:
		r.reason = "no bound: conntrack is loaded, but no firewall rule uses it"
	default:
		r.stops = true
		r.need = func(n int64) int64 { return int64(h.Conntrack) + n }
		r.reason = fmt.Sprintf("%s tracked now; past it SYNs are dropped and connects hang (\"table full, dropping packet\")", h.Conntrack)
	}
	return r
}

func (h Host) synRule() rule {
	r := rule{name: "net.ipv4.tcp_max_syn_backlog", scope: Namespace, have: h.SynBacklog}
	r.fix = "set sysctl net.ipv4.tcp_syncookies=1, or raise net.ipv4.tcp_max_syn_backlog"
	if h.SynCookies != 0 {
		r.reason = "no bound: with net.ipv4.tcp_syncookies on, half-open connections need no queue"
		return r
	}
	r.need = func(n int64) int64 { return min(n, longestBacklog) }
	r.reason = "half-open connections at once, because tcp_syncookies is off; past it SYNs are dropped and sent again"
	return r
}
