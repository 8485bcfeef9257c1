package user

import (
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/proc"
)

// lagEvery is how often a process looks how long a goroutine that could go on has to
// wait; where timers are slack, twice their slack.
const lagEvery = 20 * time.Millisecond

// wakes is how late a timer of Go's may be beside the slack: it counts milliseconds.
const wakes = 2 * time.Millisecond

// watch measures until over is closed. Users are goroutines: what arrives for one
// waits for a processor of Go's as this does.
func (c *crew) watch(over <-chan struct{}) {
	allowed := int64(time.Duration(proc.TimerSlack()) + wakes)
	every := max(lagEvery, 2*time.Duration(proc.TimerSlack()))
	clock := time.NewTicker(every)
	defer clock.Stop()
	for due := order.Now() + int64(every); ; {
		select {
		case <-clock.C:
		case <-over:
			return
		}
		// A process that stood still has missed some: each counts as if it had not.
		for now := order.Now(); due <= now; due += int64(every) {
			c.strained(func() { c.lag.Add(now - due - allowed) })
		}
	}
}

// strained notes something under the lock.
func (c *crew) strained(note func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	note()
}

// strainLocked adds what strained the process since the last call.
func (c *crew) strainLocked(s order.Strain) order.Strain {
	s.Late, s.Lag = c.late, c.lag
	c.late, c.lag = order.Sample{}, order.Sample{}
	return s
}
