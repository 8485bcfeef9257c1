package order

import (
	"context"
	"slices"
	"testing"
	"time"
)

func TestWaitUntil(t *testing.T) {
	for range 50 {
		moment := Now() + int64(3*time.Millisecond+300*time.Microsecond)
		if !WaitUntil(t.Context(), moment) {
			t.Fatal("waitUntil() = false, want true")
		}
		if late := time.Duration(Now() - moment); late < 0 {
			t.Fatalf("waitUntil() came %v too soon", -late)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	for _, moment := range []int64{0, Now() + int64(time.Hour)} {
		if WaitUntil(over, moment) {
			t.Errorf("waitUntil(%d) = true after its context has ended", moment)
		}
	}
}

// BenchmarkWaitUntil tells how late a moment is met, in the median. The runtime's
// timers alone take some 600 µs where nothing else runs.
func BenchmarkWaitUntil(b *testing.B) {
	var late []int64
	for b.Loop() {
		moment := Now() + int64(3*time.Millisecond+300*time.Microsecond)
		WaitUntil(b.Context(), moment)
		late = append(late, Now()-moment)
	}
	slices.Sort(late)
	b.ReportMetric(float64(late[len(late)/2])/1000, "µs-late")
}
