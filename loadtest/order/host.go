package order

// A Host holds the counters of a machine since it started, read by a process of a run.
// Those that could not be read are 0 or missing.
type Host struct {
	Cores    int              `json:"cores"`
	BusyNs   int64            `json:"busy_ns"`             // of all processors; kernel and other guests included
	StolenNs int64            `json:"stolen_ns,omitempty"` // of that, by other guests of the same machine
	SoftNs   []int64          `json:"soft_ns,omitempty"`   // of each processor: in interrupts and softirq, which carry packets
	WaitNs   int64            `json:"wait_ns,omitempty"`   // in which some thread was ready and had no processor
	ShortNs  int64            `json:"short_ns,omitempty"`  // in which some thread waited for memory
	LinkNs   map[string]int64 `json:"link_ns,omitempty"`   // by network interface: in which it sent, or received, at its speed
}

// Since returns the differences to an earlier reading.
func (h Host) Since(o Host) Host {
	h.BusyNs, h.StolenNs = max(0, h.BusyNs-o.BusyNs), max(0, h.StolenNs-o.StolenNs)
	h.WaitNs, h.ShortNs = max(0, h.WaitNs-o.WaitNs), max(0, h.ShortNs-o.ShortNs)
	soft := make([]int64, len(h.SoftNs))
	for i := range soft {
		if i < len(o.SoftNs) {
			soft[i] = max(0, h.SoftNs[i]-o.SoftNs[i])
		}
	}
	links := make(map[string]int64)
	for name, ns := range h.LinkNs {
		if before, known := o.LinkNs[name]; known {
			links[name] = max(0, ns-before)
		}
	}
	h.SoftNs, h.LinkNs = soft, links
	return h
}
