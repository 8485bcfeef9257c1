package poller

import (
	"testing"
	"time"
)

// owe has bytes wait for a connection.
func (c *Conn) owe(n int) {
	c.mu.Lock()
	c.queueLocked(make([]byte, n), 0, false)
	c.mu.Unlock()
	c.loop.runTasks()
}

// untilCut lets time pass until the connection is a slow consumer, and returns how
// much that was. It has taken something at the given times.
func (c *Conn) untilCut(alarm *testAlarm, takes ...time.Duration) time.Duration {
	began := alarm.at
	for c.rare.ending != cut && alarm.at < began+time.Minute {
		alarm.run(alarm.at + tickLength)
		if len(takes) > 0 && alarm.at-began >= takes[0] {
			c.rare.quiet, takes = 0, takes[1:] // as flushLocked says
		}
	}
	return alarm.at - began
}

// A client that takes nothing is found out after WriteTimeout, here 10 s, and within a
// tenth of it more, whatever time it is and however long the loop has slept; one that
// takes some has the same time again. Those that are owed much have a fifth of it
// while all together are owed too much.
func TestSlowConsumerInTime(t *testing.T) {
	const most = 11*time.Second + tickLength
	for _, start := range []time.Duration{0, time.Second, 1550 * time.Millisecond, 24*time.Hour + 999*time.Millisecond} {
		for _, tt := range []struct {
			name       string
			bytes      int
			backlog    int64
			takes      []time.Duration
			from, till time.Duration
		}{
			{"nothing taken", 1, 1 << 20, nil, 10 * time.Second, most},
			{"some taken", 1, 1 << 20, []time.Duration{9 * time.Second, 18 * time.Second}, 28 * time.Second, 18*time.Second + most},
			{"too much for all", leastHigh + 1, 1 << 10, nil, time.Second, 2*time.Second + tickLength},
			{"too much for all, but little", leastHigh, 1 << 10, nil, 10 * time.Second, most},
		} {
			l, alarm := newTestLoop()
			l.wakeFD = -1
			l.poller.backlog.max = tt.backlog
			alarm.run(start)
			c := l.begin(&timed{alarm: alarm})
			c.owe(tt.bytes)
			if d := c.untilCut(alarm, tt.takes...); d < tt.from || d > tt.till {
				t.Errorf("%s, from %v on: cut after %v, want %v to %v", tt.name, start, d, tt.from, tt.till)
			}
		}
	}
}

// A peer that takes some, but never half of what makes it full, is full for
// WriteTimeout, here 10 s, and has a new time once it has taken half.
func TestFullInTime(t *testing.T) {
	l, alarm := newTestLoop()
	l.wakeFD = -1
	l.poller.backlog.max, l.poller.outboundMax = 1<<40, 1<<40
	high := l.poller.High()
	c := l.begin(&timed{alarm: alarm})
	for range 2 {
		if c.owe(high + 1); !c.Full() {
			t.Fatal("a connection that is owed more than OutboundHigh is not full")
		}
		began := alarm.at
		for c.Full() && alarm.at < began+time.Minute {
			alarm.run(alarm.at + tickLength)
			c.rare.quiet = 0 // as flushLocked says
		}
		if d := alarm.at - began; d < 10*time.Second || d > 11*time.Second+tickLength {
			t.Errorf("full for %v, want 10 s", d)
		}
		if !c.rare.full || c.rare.ending != open {
			t.Fatal("the connection is listened to, or cut off, want neither")
		}
		c.mu.Lock()
		c.rare.popLocked(l.poller, high+1)
		c.relieveLocked()
		c.mu.Unlock()
	}
}
