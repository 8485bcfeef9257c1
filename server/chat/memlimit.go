package chat

import (
	"log/slog"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// memoryRatio is how much of the container's memory the Go heap may take before it
// is collected harder; the rest is for what is not Go's.
const memoryRatio = 0.9

// followMemory sets GOMEMLIMIT by the memory that is available. One
// from the environment stays. GOMAXPROCS, by which workers and loops are counted,
// follows the cgroup's processors by itself since Go 1.25.
func followMemory(log *slog.Logger, available memlimit.Provider) {
	limit, err := memlimit.Set(memlimit.WithProvider(available), memlimit.WithRatio(memoryRatio))
	if err != nil { // no cgroups here: Go's default stays
		log.Debug("memory limit", "err", err)
		return
	}
	log.Debug("memory limit", "gomemlimit", limit)
}
