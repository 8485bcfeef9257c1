package conduct

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/roost-rt/roost/loadtest/kernel"
)

// noteGarbage says what garbage collections have cost the servers, if they tell:
// in the line that they write at SIGUSR1, as gc_cycles=3 gc_pause_total=1ms
// gc_pause_max=1ms gc_cpu=1ms.
func (r *run) noteGarbage() {
	var cycles int64
	var pauses, longest, cpu time.Duration
	for _, s := range r.servers {
		line := s.Garbage()
		n, _ := strconv.ParseInt(value(line, "gc_cycles"), 10, 64) // what is missing is 0
		pause, _ := time.ParseDuration(value(line, "gc_pause_total"))
		most, _ := time.ParseDuration(value(line, "gc_pause_max"))
		work, _ := time.ParseDuration(value(line, "gc_cpu"))
		cycles, pauses, longest, cpu = cycles+n, pauses+pause, max(longest, most), cpu+work
	}
	if cycles == 0 {
		return
	}
	r.note("info", fmt.Sprintf("garbage collection in all servers: %s cycles, %v of CPU time in all; stop-the-world pauses: %v in total, longest %v",
		kernel.Count(cycles), cpu.Round(time.Millisecond), pauses.Round(time.Microsecond), longest.Round(time.Microsecond)))
}

// value returns the value of key in a line of key=value pairs, or "".
func value(line, key string) string {
	_, rest, found := strings.Cut(line, " "+key+"=")
	if !found {
		return ""
	}
	v, _, _ := strings.Cut(rest, " ")
	return v
}
