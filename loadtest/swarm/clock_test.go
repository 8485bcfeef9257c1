package swarm

import (
	"context"
	"testing"
	"time"
)

// Who waits is woken at the moment, not at the next millisecond.
func TestWaitUntil(t *testing.T) {
	const waits, bound = 50, 400 * time.Microsecond // the runtime's timers take 600 µs where nothing else runs
	least := time.Second
	for range waits { // others may have the processor
		moment := monotonic() + int64(3*time.Millisecond+300*time.Microsecond)
		if !waitUntil(t.Context(), moment) {
			t.Fatal("waitUntil() = false, want true")
		}
		late := time.Duration(monotonic() - moment)
		if late < 0 {
			t.Fatalf("waitUntil() came %v too soon", -late)
		}
		least = min(least, late)
	}
	if least > bound {
		t.Errorf("waitUntil() was at least %v late, want at most %v", least, bound)
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, moment := range []int64{0, monotonic() + int64(time.Hour)} {
		if waitUntil(over, moment) {
			t.Errorf("waitUntil(%d) = true after its context has ended", moment)
		}
	}
}
