package kernel

import (
	"errors"
	"io/fs"
	"iter"
	"path"
	"slices"
	"strings"
)

// A Group is one limit of a cgroup that this process is in, or of one above it:
// each on the way up counts. The usage includes all processes below it.
type Group struct {
	Path  string // as /proc/self/cgroup has it
	Limit string // the file that sets it: memoryV1, memoryV2, memoryHigh or pidsLimit
	Max   Count  // bytes or threads; never Unlimited
	Used  Count  // without what the kernel can take back

	folder      string // of its files, below the root
	bites, bite string // the file and the line in it that count how often the limit has bitten
}

// key names the limit of this one cgroup.
func (g Group) key() string { return g.Limit + " of " + g.Path }

// Files that set a limit.
const (
	memoryV1   = "memory.limit_in_bytes"
	memoryV2   = "memory.max"
	memoryHigh = "memory.high" // of version 2: past it processes wait, but are not killed
	pidsLimit  = "pids.max"
)

// A controller is the files of one resource in one version of cgroups.
type controller struct {
	name                   string // of the controller, "" for version 2
	limit, used, cacheLine string
	bites, bite            string // see Group
}

// groups are the limits that are set, from the inner cgroup to the outer.
func (r Root) groups() ([]Group, error) {
	text, err := r.text("proc/self/cgroup")
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil // a kernel without cgroups
	} else if err != nil {
		return nil, err
	}
	mounts, err := r.mounts()
	if err != nil {
		return nil, err
	}
	controllers := []controller{
		{"memory", memoryV1, "memory.usage_in_bytes", "total_inactive_file", "memory.oom_control", "oom_kill"},
		// "oom", as oom_kill also grows with the kills of a limit further up, and of the host's.
		{"", memoryV2, "memory.current", "inactive_file", "memory.events", "oom"},
		{"", memoryHigh, "memory.current", "inactive_file", "memory.events", "high"},
		{"pids", pidsLimit, "pids.current", "", "pids.events", "max"},
		{"", pidsLimit, "pids.current", "", "pids.events", "max"},
	}
	var list []Group
	for line := range strings.Lines(text) { // cgroups(7): hierarchy:controllers:path
		parts := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(parts) != 3 {
			continue
		}
		for _, c := range controllers {
			if slices.Contains(strings.Split(parts[1], ","), c.name) {
				list = append(list, r.walk(c, parts[2], mounts)...)
			}
		}
	}
	return list, nil
}

// walk collects what limits the cgroup at group and those above it.
func (r Root) walk(c controller, group string, mounts []mount) (list []Group) {
	for dir, folder := range c.folders(group, mounts) {
		if text, err := r.text(path.Join(folder, c.limit)); err == nil {
			if limit := parseCount(text); limit.known() && limit != Unlimited {
				used := r.count(path.Join(folder, c.used), 0)
				if c.cacheLine != "" {
					used = used.minus(r.field(path.Join(folder, "memory.stat"), c.cacheLine))
				}
				list = append(list, Group{Path: dir, Limit: c.limit, Max: limit, Used: used, folder: folder, bites: c.bites, bite: c.bite})
			}
		}
	}
	return list
}

// folders yields the folders of a cgroup and of those above it, each with its path.
func (c controller) folders(group string, mounts []mount) iter.Seq2[string, string] {
	return func(yield func(dir, folder string) bool) {
		i := slices.IndexFunc(mounts, c.isMount)
		if i < 0 {
			return
		}
		// A container sees its own cgroup as the root of the mount, while the path
		// may still be the host's.
		below := strings.TrimPrefix(group, strings.TrimSuffix(mounts[i].root, "/"))
		if strings.HasPrefix(below, "/..") {
			below = "/"
		}
		for dir := path.Clean("/" + below); yield(dir, path.Join(mounts[i].point, dir)) && dir != "/"; dir = path.Dir(dir) {
		}
	}
}

// isMount says that m is where the controller's files are.
func (c controller) isMount(m mount) bool {
	if c.name == "" {
		return m.kind == "cgroup2"
	}
	return m.kind == "cgroup" && slices.Contains(m.options, c.name)
}
