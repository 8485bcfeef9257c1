package vtcp

import (
	"syscall"
	"time"
)

// Tick is the grain of all times.
const Tick = 100 * time.Millisecond

// Stamp is the TSval of what is sent in a tick.
func Stamp(now uint32) uint32 { return now + 1 }

// SetDeadline has Next tell that d from now has passed, up to a tick later. It
// takes the place of the one before; zero or less means never. It is cut to 29
// hours.
func (s *Stack) SetDeadline(i int, d time.Duration) {
	r := &s.records[i]
	if d <= 0 {
		r.Timer = 0
		return
	}
	r.Timer = s.wheel.now + uint32(min((d-1)/Tick+2, Horizon))
	s.wheel.add(uint32(i), r.Timer)
}

// Advance moves the clock to so many ticks after the stack was made, and sends segments
// again that were not acknowledged in time. Next tells about all other effects of time.
func (s *Stack) Advance(now uint32) {
	if !after(now, s.wheel.now) {
		return
	}
	for after(now, s.wheel.now) {
		s.due = append(s.due, s.wheel.advance(s.records)...)
	}
	s.retransmit()
}

// Next is the next event of those that the time has brought: a deadline, or a
// connection that ended with ETIMEDOUT because nothing of what it sent was
// acknowledged for minutes. It reports false when there are no more.
func (s *Stack) Next() (Event, bool) {
	if n := len(s.failed); n > 0 {
		i := int(s.failed[n-1])
		s.failed = s.failed[:n-1]
		return Event{Client: i, Closed: true, Err: syscall.ETIMEDOUT}, true
	}
	for n := len(s.due); n > 0; n = len(s.due) {
		i := s.due[n-1]
		s.due = s.due[:n-1]
		if t := s.records[i].Timer; t != 0 && !after(t, s.wheel.now) {
			s.records[i].Timer = 0
			return Event{Client: int(i), Expired: true}, true
		}
	}
	s.due = nil
	return Event{}, false
}
