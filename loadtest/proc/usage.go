package proc

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"

	"github.com/roost-rt/roost/loadtest/order"
)

// Measure reads what a process has taken. One that has ended has taken nothing: see
// Child.Usage.
func Measure(pid int) order.Usage { return usageOf(strconv.Itoa(pid)) }

// OwnUsage returns the usage of this process, whatever pid others know it by.
func OwnUsage() order.Usage { return usageOf("self") }

// usageOf reads the folder of that name in /proc.
func usageOf(process string) order.Usage {
	folder := "/proc/" + process
	return order.Usage{RSS: residentBytes(folder + "/statm"), CPUNs: cpuNs(folder + "/stat")}
}

func residentBytes(statm string) int64 {
	text, err := os.ReadFile(statm)
	fields := strings.Fields(string(text))
	if err != nil || len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// tick is the unit of CPU time in /proc, 1/100 s on all that Go runs on.
const tick = 10_000_000

func cpuNs(stat string) int64 {
	text, err := os.ReadFile(stat)
	if err != nil {
		return 0
	}
	// proc(5): the name, which may hold anything, is the last in parentheses;
	// utime and stime are fields 14 and 15, the state after the name is 3.
	fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(fields[11], 10, 64)
	system, _ := strconv.ParseInt(fields[12], 10, 64)
	return (user + system) * tick
}

// catches reports whether a process has a handler of its own for a signal.
func catches(pid int, signal syscall.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return true // it has ended, and nothing can happen to it
	}
	return caught(string(status), signal)
}

// caught looks for a signal in the line SigCgt of a status, proc(5).
func caught(status string, signal syscall.Signal) bool {
	_, mask, _ := strings.Cut(status, "\nSigCgt:")
	mask, _, _ = strings.Cut(mask, "\n")
	bits, _ := strconv.ParseUint(strings.TrimSpace(mask), 16, 64)
	return bits>>(signal-1)&1 == 1
}
