package kernel

import "fmt"

// moreFiles is how a process gets them.
const moreFiles = "raise ulimit -Hn (LimitNOFILE= of the service, docker --ulimit nofile=)"

// fileRules are about descriptors.
func (h Host) fileRules(l layout) []rule {
	system := rule{name: "fs.file-max", scope: Machine, have: h.FileMax, fix: "raise sysctl fs.file-max"}
	if h.FilesExempt {
		system.reason = fmt.Sprintf("no bound for this user (CAP_SYS_ADMIN of the host); for others, open files of the whole host, %s now", h.FilesOpen)
	} else {
		system.stops = true
		system.need = func(n int64) int64 { return int64(max(0, h.FilesOpen)) + l.openFiles(n) }
		system.reason = fmt.Sprintf("open files of the whole host, %s now; past it accept and connect fail with ENFILE (CAP_SYS_ADMIN of the host is exempt)", h.FilesOpen)
	}
	return append(h.processFileRules(l), system,
		rule{
			name: "fs.epoll.max_user_watches", scope: User, stops: true, have: h.EpollWatches,
			need:   func(n int64) int64 { return n * l.ends() },
			reason: "one for each end of a connection; past it epoll_ctl fails with ENOSPC",
			fix:    "raise sysctl fs.epoll.max_user_watches",
		})
}

// processFileRules are notes unless one process must hold all: many processes
// take what they are given, if that is enough to work with.
func (h Host) processFileRules(l layout) []rule {
	files := rule{name: "RLIMIT_NOFILE", scope: Process, have: l.files}
	ceiling := rule{name: "fs.nr_open", scope: Machine, have: h.NrOpen}
	if !l.Single {
		if l.files < leastFiles {
			files.stops, files.need, files.fix = true, func(n int64) int64 { return min(n, 1) * leastFiles }, moreFiles
			files.reason = fmt.Sprintf("%d are kept free for everything but connections of a load test, whatever the number of processes", SpareFiles)
			return []rule{files, ceiling}
		}
		files.reason = fmt.Sprintf("no bound: a process holds %s connections, and more need more processes", Count(l.perProcess()))
		ceiling.reason = "no bound: maximum of RLIMIT_NOFILE of a process"
		return []rule{files, ceiling}
	}
	need := func(n int64) int64 { return n + keptFiles }
	files.stops, files.need = true, need
	files.reason = "one for each connection and 64 for everything else; beyond it our server answers 503, others fail to accept with EMFILE"
	files.fix = moreFiles + ", or do without -single: more processes"
	ceiling.stops, ceiling.need = true, need
	ceiling.have = max(h.NrOpen, l.files) // a limit that was set before fs.nr_open sank stays
	if l.FilesPerProcess > 0 {
		ceiling.have = h.NrOpen
	}
	ceiling.reason = "maximum of RLIMIT_NOFILE; past it setrlimit fails with EPERM, even for root"
	ceiling.fix = "raise sysctl fs.nr_open before RLIMIT_NOFILE"
	return []rule{files, ceiling}
}
