package order

import (
	"context"
	"math"
	"time"

	"golang.org/x/sys/unix"
)

// Now is CLOCK_MONOTONIC in nanoseconds: unlike what Go shows of its readings it is
// the same for all processes of a host.
func Now() int64 { return started.ns + int64(time.Since(started.at)) }

// started is one moment by both. From there on Go reads the same clock, without
// a system call. Of some readings the closest count: between two of them the
// thread may have had to wait, and the clocks of two processes would differ.
var started = func() (m struct {
	at time.Time
	ns int64
}) {
	kernel := func() int64 {
		var t unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_MONOTONIC, &t) // it fails only for a clock that does not exist
		return t.Nano()
	}
	closest := int64(math.MaxInt64)
	for range 8 {
		before, at := kernel(), time.Now()
		if apart := kernel() - before; apart < closest {
			closest, m.at, m.ns = apart, at, before+apart/2
		}
	}
	return m
}()

// early is how long before a moment the runtime's timer is to wake who waits for
// it: where nothing else runs it is late by a millisecond and more, because the
// runtime waits in epoll, which counts these. It is no longer than that, as a
// blocked thread may keep one of Go's processors for as long.
const early = 2 * time.Millisecond

// WaitUntil returns false when ctx ended before the moment t of Now came.
// At the end it blocks a thread: an event loop must not call it.
func WaitUntil(ctx context.Context, t int64) bool {
	if wait := time.Duration(t-Now()) - early; wait > 0 {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return false
		}
	}
	sleepUntil(t)
	return ctx.Err() == nil
}

// sleepUntil has the kernel wake this thread at the moment t of Now.
func sleepUntil(t int64) {
	at := unix.NsecToTimespec(t)
	for Now() < t {
		// It ends early for a signal, and the runtime sends itself some.
		_ = unix.ClockNanosleep(unix.CLOCK_MONOTONIC, unix.TIMER_ABSTIME, &at, nil)
	}
}
