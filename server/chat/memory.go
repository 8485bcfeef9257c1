package chat

import (
	"bytes"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"strconv"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// logMemory logs one line of what the server holds, after a garbage collection
// that gives free memory back to the system.
func logMemory(log *slog.Logger, ep *phx.Endpoint) {
	st := ep.Stats()
	debug.FreeOSMemory()
	debug.FreeOSMemory() // what had finalizers or was in pools goes with the second
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	link := ep.Cluster()
	log.Info("memory", "peers", len(link.Peers), "cluster_dropped", link.Dropped, "cluster_missed", link.Missed,
		"connections", st.Connections, "sockets", st.Sockets, "channels", st.Channels, "slow_consumers", st.SlowConsumers,
		"rss_bytes", rss(), "heap_bytes", m.HeapAlloc, "heap_objects", m.HeapObjects, "stack_bytes", m.StackInuse,
		"goroutines", runtime.NumGoroutine(), "gc_cycles", m.NumGC, "gc_pause_total", time.Duration(m.PauseTotalNs),
		"gc_pause_max", longestPause(&m), "gc_cpu", gcCPU())
}

// longestPause returns the longest pause of the last 256 garbage collections.
func longestPause(m *runtime.MemStats) time.Duration {
	return time.Duration(slices.Max(m.PauseNs[:]))
}

// gcCPU is the processor time that garbage collections have taken.
func gcCPU() time.Duration {
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/total:cpu-seconds"}}
	metrics.Read(sample)
	if sample[0].Value.Kind() != metrics.KindFloat64 {
		return 0
	}
	return time.Duration(sample[0].Value.Float64() * float64(time.Second))
}

// rss is the resident memory of this process in bytes, 0 if the system does not
// tell.
func rss() int64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	fields := bytes.Fields(statm)
	if len(fields) < 2 {
		return 0
	}
	pages, err := strconv.ParseInt(string(fields[1]), 10, 64)
	if err != nil {
		return 0
	}
	return pages * int64(os.Getpagesize())
}
