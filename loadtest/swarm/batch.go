package swarm

import (
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// schedBatch is SCHED_BATCH of sched(7), which package unix lacks.
const schedBatch = 3

// YieldToServers puts all threads of this process under SCHED_BATCH: woken up
// by a message, a client does not interrupt the server that is still writing
// to others, as it could not if it were on another machine. It is a favour to
// the measurement, so an error is none.
func YieldToServers() {
	threads, err := os.ReadDir("/proc/self/task")
	if err != nil {
		return
	}
	attr := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: schedBatch}
	for _, thread := range threads { // those to come inherit it
		if id, err := strconv.Atoi(thread.Name()); err == nil {
			_ = unix.SchedSetAttr(id, &attr, 0)
		}
	}
}
