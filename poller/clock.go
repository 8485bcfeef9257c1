package poller

import "time"

// mostTicks is how many ticks the clock makes up for at once. After a longer pause
// of the process, or of the host, the rest follows a tick's length later each time:
// bytes that came meanwhile are read in between, so no peer is mistaken for silent.
const mostTicks = 10

// An alarm tells a loop the time, and when to look at it: loop.tick is called once,
// so long after set. Each set replaces the one before; zero means never.
type alarm interface {
	elapsed() time.Duration // since the start
	set(in time.Duration)
}

// A clock moves a loop's wheel. It sleeps up to the next tick at which something is
// due, unless somebody asks for the time before: a loop that nothing happens on is
// not woken. All of it belongs to the loop.
type clock struct {
	alarm  alarm
	asleep bool          // the wheel's tick may be over
	rings  time.Duration // what the alarm is set to; 0 is never
}

// ring sets the alarm to a time since the start.
func (k *clock) ring(at time.Duration) {
	if at == k.rings {
		return
	}
	k.rings = at
	k.alarm.set(max(at-k.alarm.elapsed(), 1))
}

// off stops the alarm.
func (k *clock) off() {
	k.rings = 0
	k.alarm.set(0)
}

// ticksIn is how many ticks are over after so much time.
func ticksIn(passed time.Duration) uint32 { return uint32(passed / tickLength) }

// now is the tick under way.
func (l *loop) now() uint32 {
	l.check()
	if l.clock.asleep {
		l.wake()
	}
	return l.timers.now
}

// wake keeps the time until the end of the tick under way.
func (l *loop) wake() {
	l.clock.asleep = false
	l.timers.skip(ticksIn(l.clock.alarm.elapsed()))
	l.clock.ring(time.Duration(l.timers.now+1) * tickLength)
}

// tick does what is due when the alarm goes off, and sets it anew.
func (l *loop) tick() {
	l.enter()
	l.meter.begin()
	defer l.meter.end()
	k := &l.clock
	passed := k.alarm.elapsed()
	late := passed - k.rings // less than nothing if it was set anew on the way: no harm
	k.asleep, k.rings = false, 0
	due := ticksIn(passed)
	l.timers.skip(due)
	if late > mostTicks*tickLength { // first of all the loop reads
		k.ring(passed + tickLength)
		return
	}
	for n := 0; n < mostTicks && l.timers.now < due; n++ {
		l.advance()
	}
	l.sweep()
	if l.timers.now < due {
		k.ring(passed + tickLength)
		return
	}
	l.sleep()
}

// sleep sets the alarm to the next tick at which something is due.
func (l *loop) sleep() {
	l.clock.asleep = true
	at := l.timers.next()
	if l.owed() {
		at = min(at, l.swept+l.poller.sweepTicks)
	}
	if at == never {
		l.clock.off()
		return
	}
	l.clock.ring(time.Duration(at) * tickLength)
}
