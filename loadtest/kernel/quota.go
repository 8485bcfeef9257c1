package kernel

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
)

// A Quota is the processor time that a cgroup gives this process and others.
type Quota struct {
	Path       string  // of the cgroup, as in Group; "" if none sets one
	Processors float64 // as many at a time, on average; 0 if none sets one
}

// quota is the least of the cgroups on the way up.
func (r Root) quota() (least Quota) {
	text, err := r.text("proc/self/cgroup")
	if err != nil {
		return least
	}
	mounts, err := r.mounts()
	if err != nil {
		return least
	}
	for line := range strings.Lines(text) {
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, c := range []controller{{name: "cpu"}, {name: ""}} {
			if !slices.Contains(strings.Split(parts[1], ","), c.name) {
				continue
			}
			for dir, folder := range c.folders(parts[2], mounts) {
				if n := r.quotaIn(folder); n > 0 && (least.Processors == 0 || n < least.Processors) {
					least = Quota{dir, n}
				}
			}
		}
	}
	return least
}

// quotaIn returns the quota in a folder of a cgroup: cpu.max of version 2, or two files
// of version 1. It is 0 if there is no bound.
func (r Root) quotaIn(folder string) float64 {
	quota, period := "", ""
	if text, err := r.text(path.Join(folder, "cpu.max")); err == nil {
		quota, period, _ = strings.Cut(text, " ")
	} else {
		// What cannot be read is no number, and no bound.
		quota, _ = r.text(path.Join(folder, "cpu.cfs_quota_us"))
		period, _ = r.text(path.Join(folder, "cpu.cfs_period_us"))
	}
	us, err := strconv.ParseFloat(quota, 64) // "max" is no number
	of, errOf := strconv.ParseFloat(period, 64)
	if err != nil || errOf != nil || us <= 0 || of <= 0 {
		return 0
	}
	return us / of
}

// quotaRule is a note: a processor less is slower, and no limit of clients.
func (h Host) quotaRule() []rule {
	if h.Quota.Processors == 0 {
		return nil
	}
	return []rule{{
		name: "cpu quota", scope: Cgroup, have: Unknown,
		reason: fmt.Sprintf("cgroup %s has %.3g of %d processors: past it all of its processes stop for the rest of each period", h.Quota.Path, h.Quota.Processors, h.Processors),
		fix:    "raise CPUQuota= of the service, docker --cpus, or limits.cpu of the pod",
	}}
}
