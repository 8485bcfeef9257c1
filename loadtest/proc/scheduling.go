package proc

import (
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Slacken lets the timers of the children that this thread starts from now on be
// late by d; 0 is the system's default. Without it they only take more of the
// processors, so errors do not matter.
func Slacken(d time.Duration) { _ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(d), 0, 0, 0) }

// schedBatch is SCHED_BATCH of sched(7), which package unix lacks.
const schedBatch = 3

// YieldToServers puts all threads of this process under SCHED_BATCH: woken up
// by a message, a client does not interrupt the server that is still writing
// to others, as it could not if it were on another machine. It is a favour to
// the measurement, so errors do not matter.
func YieldToServers() { schedule(unix.SchedAttr{Policy: schedBatch}) }

// KeepUpWithServers gives this process ten times the share of a processor that each server
// has, beside what YieldToServers does: it alone takes what all of them send, as a network
// card would, and what it does not take in time is dropped. It needs CAP_SYS_NICE, and
// without it is only slower.
func KeepUpWithServers() { schedule(unix.SchedAttr{Policy: schedBatch, Nice: -10}) }

// schedule puts all threads of this process, and those to come, under a policy.
func schedule(attr unix.SchedAttr) {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	attr.Size = unix.SizeofSchedAttr
	for _, thread := range threads { // those to come inherit it
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.SchedSetAttr(id, &attr, 0)
		}
	}
}
