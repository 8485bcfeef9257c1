package kernel

import (
	"path"
	"strconv"
	"strings"
)

// A Tally is how often each limit, by its name, has bitten so far. The counters
// are the kernel's own and only grow: if one grew during a run, the run has hit that
// limit, or something else has at that time.
type Tally map[string]int64

// Tally reads the counters of the machine below r, and leaves out those that it cannot
// read.
func (r Root) Tally() Tally {
	t := Tally{}
	tcp := r.netstat()
	t.add("net.core.somaxconn", tcp["ListenOverflows"])
	t.add("net.ipv4.tcp_max_syn_backlog", tcp["TCPReqQFullDrop"])
	t.add("net.ipv4.tcp_mem", tcp["TCPRcvQDrop"], tcp["TCPAbortOnMemory"])
	t.add("net.core.netdev_max_backlog", r.column("proc/net/softnet_stat", 1))
	t.add("net.netfilter.nf_conntrack_max", r.conntrackDrops())
	t.add("memory", int64(max(0, r.field("proc/vmstat", "oom_kill"))))
	groups, err := r.groups()
	if err != nil {
		return t
	}
	for _, g := range groups {
		t.add(g.key(), int64(max(0, r.field(path.Join(g.folder, g.bites), g.bite))))
	}
	return t
}

func (t Tally) add(name string, counts ...int64) {
	for _, n := range counts {
		t[name] += n
	}
}

// since is how much of it is new.
func (t Tally) since(before Tally, name string) int64 { return t[name] - before[name] }

// netstat is the TcpExt counters: a line of names, and below it one of numbers.
func (r Root) netstat() map[string]int64 {
	text, err := r.text("proc/net/netstat")
	if err != nil {
		return nil
	}
	counters := make(map[string]int64)
	var names []string
	for line := range strings.Lines(text) {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || fields[0] != "TcpExt:":
		case names == nil:
			names = fields
		default:
			for i := 1; i < min(len(fields), len(names)); i++ {
				counters[names[i]], _ = strconv.ParseInt(fields[i], 10, 64) // 0 for what is no number
			}
		}
	}
	return counters
}

// conntrackDrops are the packets and the connections that a full table has cost.
// The file has a heading.
func (r Root) conntrackDrops() (sum int64) {
	const file = "proc/net/stat/nf_conntrack"
	text, err := r.text(file)
	if err != nil {
		return 0
	}
	heading, _, _ := strings.Cut(text, "\n")
	for i, name := range strings.Fields(heading) {
		if name == "drop" || name == "early_drop" {
			sum += r.column(file, i)
		}
	}
	return sum
}

// column sums up one column, counted from 0, of a file with a line of hexadecimal
// numbers for each processor.
func (r Root) column(file string, i int) (sum int64) {
	text, err := r.text(file)
	if err != nil {
		return 0
	}
	for line := range strings.Lines(text) {
		if fields := strings.Fields(line); i < len(fields) {
			n, _ := strconv.ParseInt(fields[i], 16, 64) // 0 for a heading
			sum += n
		}
	}
	return sum
}
