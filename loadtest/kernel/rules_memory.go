package kernel

import "fmt"

// memoryRules are about the memory of the host and of the cgroups on the way up:
// sockets are charged to the cgroup of their process, too.
func (h Host) memoryRules(l layout) []rule {
	list := []rule{{
		name: "memory", unit: "bytes", scope: Machine, stops: true, have: h.Memory, need: l.memory,
		reason: fmt.Sprintf("available; a client takes %s of it in processes and kernel, plus 1.1 KB while a message is unread; a process takes %s",
			bytes(Count(l.perClient())), bytes(processBytes)),
		fix: "add memory, or use fewer clients",
	}}
	for _, g := range h.Groups {
		if g.Limit == pidsLimit {
			continue
		}
		need := l.memory
		if g.Limit == memoryV1 {
			need = l.charged
		}
		r := rule{
			name: g.Limit, unit: "bytes", scope: Cgroup, stops: true, have: g.Max,
			need:   func(n int64) int64 { return int64(max(0, g.Used)) + need(n) },
			reason: fmt.Sprintf("of cgroup %s, %s used now; past it the kernel kills a process", g.Path, bytes(g.Used)),
			fix:    "raise MemoryMax= of the service, docker -m, or limits.memory of the pod",
		}
		if g.Limit == memoryHigh {
			r.stops = false
			r.reason = fmt.Sprintf("of cgroup %s, %s used now; past it the kernel makes each process wait when it takes more", g.Path, bytes(g.Used))
			r.fix = "raise MemoryHigh= of the service"
		}
		list = append(list, r)
	}
	return list
}

// FreeMemory returns the memory that this process and others that it starts may take:
// bytes of the host, or of a cgroup on the way up if it has less. A limit at which a
// cgroup only slows down does not count.
func (h Host) FreeMemory() Count {
	free := h.Memory
	for _, g := range h.Groups {
		if left := g.Max.minus(g.Used); g.Limit != pidsLimit && g.Limit != memoryHigh && (free == Unknown || left < free) {
			free = left
		}
	}
	return free
}
