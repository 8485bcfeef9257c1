package swarm

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// monotonic is CLOCK_MONOTONIC in nanoseconds: unlike what Go shows of its
// readings it is the same for all processes of a host.
func monotonic() int64 { return started.ns + int64(time.Since(started.at)) }

// started is one moment by both. From there on Go reads the same clock, without
// a system call.
var started = func() (m struct {
	at time.Time
	ns int64
}) {
	var t unix.Timespec
	// It fails only for a clock that does not exist.
	_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t)
	m.at, m.ns = time.Now(), t.Nano()
	return m
}()

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
