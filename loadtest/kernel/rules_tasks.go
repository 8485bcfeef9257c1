package kernel

import "fmt"

// taskRules are about processes and threads. A connection needs neither, so they
// count only where the file limit asks for many processes.
func (h Host) taskRules(l layout) []rule {
	threads := func(n int64) int64 { return l.processes(n) * int64(runtimeThreads+h.Cores) }
	var list []rule
	for _, g := range h.Groups {
		if g.Limit != pidsLimit {
			continue
		}
		list = append(list, rule{
			name: pidsLimit, unit: "threads", scope: Cgroup, stops: true, have: g.Max,
			need:   func(n int64) int64 { return int64(max(0, g.Used)) + threads(n) },
			reason: fmt.Sprintf("of cgroup %s, %s used now; past it a process cannot start or dies (\"failed to create new OS thread\")", g.Path, g.Used),
			fix:    "raise TasksMax= of the service, docker --pids-limit, or the pod's pid limit",
		})
	}
	for _, s := range []struct {
		name string
		have Count
	}{{"kernel.threads-max", h.ThreadsMax}, {"kernel.pid_max", h.PidMax}} {
		list = append(list, rule{
			name: s.name, unit: "threads", scope: Machine, stops: true, have: s.have,
			need:   func(n int64) int64 { return int64(max(0, h.Threads)) + threads(n) },
			reason: fmt.Sprintf("of the whole host, %s now; past it a process cannot start", h.Threads),
			fix:    "raise sysctl " + s.name + ", or ulimit -n: fewer processes",
		})
	}
	return list
}
