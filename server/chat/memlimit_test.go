package chat

import (
	"log/slog"
	"os"
	"runtime/debug"
	"testing"

	"github.com/KimMachineGun/automemlimit/memlimit"
)

// The heap's limit is nine tenths of the memory there is, but what the environment
// says stays.
func TestFollowMemory(t *testing.T) {
	const before = 123 << 20
	t.Setenv("GOMEMLIMIT", "123MiB")
	was := debug.SetMemoryLimit(before) // what Go makes of the variable at the start
	t.Cleanup(func() { debug.SetMemoryLimit(was) })
	log, gigabyte := slog.New(slog.DiscardHandler), memlimit.Limit(1_000_000_000)
	if followMemory(log, gigabyte); debug.SetMemoryLimit(-1) != before {
		t.Errorf("the limit is %d in spite of GOMEMLIMIT, want %d", debug.SetMemoryLimit(-1), before)
	}
	os.Unsetenv("GOMEMLIMIT") // Setenv restores it
	if followMemory(log, gigabyte); debug.SetMemoryLimit(-1) != 900_000_000 {
		t.Errorf("the limit is %d, want 900,000,000", debug.SetMemoryLimit(-1))
	}
}
