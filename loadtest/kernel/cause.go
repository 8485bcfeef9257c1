package kernel

import (
	"fmt"
	"strings"
	"syscall"
)

// A Cause is the limit that stopped a run, as far as can be told.
type Cause struct {
	Name     string `json:"name"` // as in Limit, or RefusedByServer; "" if no limit of this host was found
	Scope    Scope  `json:"scope,omitempty"`
	Evidence string `json:"evidence"`
	Fix      string `json:"fix,omitempty"`
}

// Symptoms holds the observations of a run that stopped short, with the counters from
// before it and after it.
type Symptoms struct {
	Demand        Demand
	Errors        []string // of clients, and why processes ended
	Files         []Files  // of processes that still run
	Before, After Tally
}

// Files are the open files of a process.
type Files struct {
	Process   string // "server process 3", for people
	Open, Max Count
}

// FilesOf reads the files of a process. A number that cannot be read is Unknown.
func (r Root) FilesOf(pid int, name string) Files {
	folder := fmt.Sprintf("proc/%d/", pid)
	f := Files{Process: fmt.Sprintf("%s (pid %d)", name, pid), Open: Unknown, Max: Unknown}
	if soft, _, err := r.files(folder + "limits"); err == nil {
		f.Max = soft
	}
	f.Open = r.entries(folder + "fd")
	return f
}

// full reports whether a server would refuse more connections.
func (f Files) full() bool { return f.Open.known() && f.Max.known() && f.Open+keptFiles >= f.Max }

// Diagnose names the limit of h that explains s, the surest sign first. h is the
// host before the run.
func (h Host) Diagnose(s Symptoms) Cause {
	rules := h.rules(layout{Demand: s.Demand, files: h.FilesHard})
	found := func(name, evidence string) Cause {
		c := Cause{Name: name, Evidence: evidence}
		for _, r := range rules {
			if r.name == name {
				c.Scope, c.Fix = r.scope, r.fix
			}
		}
		return c
	}
	for _, f := range s.Files {
		if f.full() {
			return Cause{"RLIMIT_NOFILE", Process, fmt.Sprintf("%s has %s of %s files open", f.Process, f.Open, f.Max), moreFiles}
		}
	}
	for _, e := range []struct {
		errno syscall.Errno
		name  string
		fix   string
	}{
		{syscall.ENFILE, "fs.file-max", ""},
		{syscall.EMFILE, "RLIMIT_NOFILE", moreFiles},
		{syscall.EADDRNOTAVAIL, "net.ipv4.ip_local_port_range", morePorts},
		{syscall.ENOSPC, "fs.epoll.max_user_watches", ""},
	} {
		if says(s.Errors, e.errno.Error()) {
			c := found(e.name, "clients got: "+e.errno.Error())
			if e.fix != "" {
				c.Fix = e.fix
			}
			return c
		}
	}
	for _, g := range h.Groups { // the inner one first: what it runs into counts for those above it, too
		if n := s.After.since(s.Before, g.key()); n > 0 && g.Limit != memoryHigh {
			what := "processes killed for it: %d"
			if g.Limit == pidsLimit {
				what = "the kernel refused %d threads or processes"
			}
			return found(g.Limit, fmt.Sprintf("cgroup %s has %s: "+what, g.Path, Limit{Unit: unitOf(g.Limit)}.amount(g.Max), n))
		}
	}
	if refusals := refused(s.Errors); len(refusals) > 0 {
		return Cause{Name: RefusedByServer, Evidence: "it answered: " + strings.Join(refusals, "; "),
			Fix: "look at its log and its own limits, such as -max-conns"}
	}
	if n := s.After.since(s.Before, "memory"); n > 0 {
		return found("memory", fmt.Sprintf("the kernel killed %d processes because it ran out of memory", n))
	}
	for _, e := range s.Errors { // by none of what follows does a process die
		if strings.Contains(e, killed) {
			return Cause{Evidence: "somebody killed a process; it was not the kernel's OOM killer: " + e}
		}
	}
	for _, b := range []struct{ name, evidence string }{
		{"net.netfilter.nf_conntrack_max", "the table of connections was full: %d packets were dropped"},
		{"net.core.somaxconn", "the queue of a listener was full %d times: connects waited for seconds"},
		{"net.ipv4.tcp_max_syn_backlog", "%d half-open connections were dropped"},
		{"net.core.netdev_max_backlog", "%d packets were dropped because too many came at once"},
		{"net.ipv4.tcp_mem", "%d packets or connections were dropped for lack of buffers"},
	} {
		if n := s.After.since(s.Before, b.name); n > 0 {
			return found(b.name, fmt.Sprintf(b.evidence, n))
		}
	}
	for _, g := range h.Groups { // the last: pages of files that were read make it wait, too
		if n := s.After.since(s.Before, g.key()); n > 0 && g.Limit == memoryHigh {
			return found(g.Limit, fmt.Sprintf("cgroup %s has %s: the kernel made its processes wait %d times", g.Path, bytes(g.Max), n))
		}
	}
	c := Cause{Evidence: "no limit of this host was hit, as far as its counters show"}
	if len(s.Errors) > 0 {
		c.Evidence += "; clients got: " + strings.Join(s.Errors[:min(len(s.Errors), mostNamed)], "; ")
	}
	return c
}

// killed is how package os says that a process died of SIGKILL.
const killed = "signal: killed"

// RefusedByServer is the name of a cause that is no limit of this host.
const RefusedByServer = "the server"

// mostNamed is how many kinds of errors are told.
const mostNamed = 3

// refused are the errors by which a server says that it will not have a client.
func refused(errors []string) (kinds []string) {
	for _, e := range errors {
		for _, begin := range []string{"upgrade: HTTP ", "join refused", "closed by the server: ", "remote error: tls: "} {
			if strings.HasPrefix(e, begin) && len(kinds) < mostNamed {
				kinds = append(kinds, e)
			}
		}
	}
	return kinds
}

// says that one of the errors has the text. "too many open files" is the
// beginning of another one, so that one is asked for before.
func says(errors []string, text string) bool {
	for _, e := range errors {
		if strings.Contains(e, text) {
			return true
		}
	}
	return false
}

func unitOf(limit string) string {
	if limit == pidsLimit {
		return "threads"
	}
	return "bytes"
}
