package swarm

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is CLOCK_MONOTONIC in nanoseconds: unlike Go's own readings it is
// the same clock for all processes of a host.
func monotonic() int64 {
	var t unix.Timespec
	// It fails only for a clock that does not exist.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	return t.Nano()
}

// now is monotonic by the coordinator's clock: all moments that clients tell and
// are told are of that one.
func (f *fleet) now() int64 { return monotonic() + f.orders.Clock }

func (f *fleet) waitUntil(ctx context.Context, t int64) bool {
	return waitUntil(ctx, t-f.orders.Clock)
}

// waitUntil returns false when ctx ended before the moment t of monotonic came.
func waitUntil(ctx context.Context, t int64) bool {
	wait := time.Duration(t - monotonic())
	if wait <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
