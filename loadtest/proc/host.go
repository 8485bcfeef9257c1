package proc

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/loadtest/order"
)

// A Look looks at this process and its host now and then: the many files take as long as
// everything else in a report. The zero value has not looked. It belongs to one
// goroutine at a time.
type Look struct{ at int64 }

// lookEvery is how often.
const lookEvery = int64(time.Second)

// Strain has the host as it is now, or nothing if that was told less than a second
// ago.
func (l *Look) Strain() (s order.Strain) {
	if now := order.Now(); l.at == 0 || now-l.at >= lookEvery {
		l.at = now
		return l.Anew()
	}
	return s
}

// Anew has the host as it is now.
func (l *Look) Anew() order.Strain { return order.Strain{WaitNs: waitNs("/"), Host: OwnHost()} }

// OwnHost returns the counters of this machine since it started.
func OwnHost() order.Host { return hostAt("/") }

// hostAt reads the files below root.
func hostAt(root string) order.Host {
	read := func(name string) string {
		text, _ := os.ReadFile(filepath.Join(root, name)) // what cannot be read is not measured
		return string(text)
	}
	h := order.Host{WaitNs: pressureNs(read("proc/pressure/cpu")), ShortNs: pressureNs(read("proc/pressure/memory")), LinkNs: make(map[string]int64)}
	processors(&h, read("proc/stat"))
	for name, bytes := range traffic(read("proc/net/dev")) {
		megabits := number(read("sys/class/net/" + name + "/speed")) // -1 or an error where there is no wire
		if megabits > 0 {
			h.LinkNs[name] = bytes * 8 * 1000 / megabits
		}
	}
	return h
}

// processors reads /proc/stat, proc(5): user, nice, system, idle, iowait, irq,
// softirq and steal of all processors and of each.
func processors(h *order.Host, stat string) {
	for line := range strings.Lines(stat) {
		fields := strings.Fields(line)
		if len(fields) < 9 || !strings.HasPrefix(fields[0], "cpu") {
			return // they are the first
		}
		ns := func(i int) int64 { return number(fields[i]) * tick }
		soft := ns(6) + ns(7)
		if fields[0] != "cpu" {
			h.Cores++
			h.SoftNs = append(h.SoftNs, soft)
			continue
		}
		h.StolenNs = ns(8)
		h.BusyNs = ns(1) + ns(2) + ns(3) + soft + h.StolenNs
	}
}

// pressureNs reads the line "some" of a file of Documentation/accounting/psi.rst.
func pressureNs(text string) int64 {
	some, _, _ := strings.Cut(text, "\n")
	_, total, _ := strings.Cut(some, "total=")
	return number(total) * 1000
}

// traffic returns the bytes of each network interface except loopback, in the direction
// that had more, from /proc/net/dev.
func traffic(dev string) map[string]int64 {
	bytes := make(map[string]int64)
	for line := range strings.Lines(dev) {
		name, counts, found := strings.Cut(line, ":")
		fields := strings.Fields(counts)
		if name = strings.TrimSpace(name); !found || name == "lo" || len(fields) < 9 {
			continue
		}
		bytes[name] = max(number(fields[0]), number(fields[8]))
	}
	return bytes
}

// number returns 0 for a text that is no number.
func number(text string) int64 {
	n, _ := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	return n
}

// waitNs is how long the threads of this process have been ready to run and had no
// processor: the second number of schedstat, Documentation/scheduler/sched-stats.rst.
func waitNs(root string) (ns int64) {
	threads, err := filepath.Glob(filepath.Join(root, "proc/self/task/*/schedstat"))
	if err != nil {
		return 0
	}
	for _, name := range threads {
		text, _ := os.ReadFile(name) // a thread may have ended
		if fields := strings.Fields(string(text)); len(fields) > 1 {
			ns += number(fields[1])
		}
	}
	return ns
}

// TimerSlack is how late, in nanoseconds, the kernel may wake this thread when it
// sleeps; see Slacken.
func TimerSlack() int64 {
	slack, err := unix.PrctlRetInt(unix.PR_GET_TIMERSLACK, 0, 0, 0, 0)
	if err != nil {
		return 0
	}
	return int64(slack)
}
