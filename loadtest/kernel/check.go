package kernel

import "slices"

// A Report is every limit of a host, judged for a demand.
type Report struct {
	Clients         Count   `json:"clients"`
	SameHost        bool    `json:"same_host"`
	Remote          bool    `json:"remote,omitempty"` // the clients alone are here
	MemoryNeeded    Count   `json:"memory_needed"`    // bytes of processes and kernel
	ServerProcesses Count   `json:"server_processes"`
	ClientProcesses Count   `json:"client_processes"`
	Enough          bool    `json:"enough"` // nothing stops the clients
	First           *Limit  `json:"first"`  // that stops clients as their number grows; nil if none is known
	Limits          []Limit `json:"limits"`
}

// Check judges h for d.
func Check(h Host, d Demand) Report {
	l := layout{Demand: d, files: h.FilesHard}
	if d.FilesPerProcess > 0 {
		l.files = d.FilesPerProcess
	}
	n := int64(d.Clients)
	rep := Report{Clients: d.Clients, SameHost: d.SameHost, Remote: d.Remote, MemoryNeeded: Count(l.memory(n)), ServerProcesses: Count(l.servers(n)), Enough: true}
	rep.ClientProcesses = Count(l.processes(n) - l.servers(n))
	for _, r := range h.rules(l) {
		rep.Limits = append(rep.Limits, r.judge(d.Clients))
	}
	for i, limit := range rep.Limits {
		if !limit.Stops || limit.Verdict == Note || limit.Clients == Unlimited {
			continue
		}
		rep.Enough = rep.Enough && limit.Verdict == OK
		if rep.First == nil || limit.Clients < rep.First.Clients {
			rep.First = &rep.Limits[i]
		}
	}
	return rep
}

func (h Host) rules(l layout) []rule {
	return slices.Concat(h.fileRules(l), h.networkRules(l), h.memoryRules(l), h.taskRules(l), h.quotaRule())
}
