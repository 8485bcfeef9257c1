package swarm

import (
	"math"
	"slices"
	"time"
)

// underway is how long what was sent may be on its way to a client that is gone
// before it comes. What has not come by then was not going to.
const underway = int64(30 * time.Second)

// stillAway is the end of an absence by the client's own will, until it is back.
const stillAway = math.MaxInt64

// An absence is the time in which a client was cut off, or out of the room. What
// was sent then it cannot have, nor what was on its way, and nothing repeats it:
// Channels deliver at most once. But a writer's messages come in order, so what
// is missing among those that it had already was lost before.
type absence struct {
	from, to int64 // monotonic nanoseconds; to is 0 for who is cut off and not back: that is no excuse
	had      int32 // the number up to which it had heard of every writer's messages
}

// absentLocked begins an absence now.
func (c *client) absentLocked(to int64) {
	ledgers := c.group.ledgersOf(c)
	had := ledgers[0].top
	for _, l := range ledgers {
		had = min(had, l.top)
	}
	c.goneLocked(absence{from: c.group.fleet.now() - underway, to: to, had: had})
}

// goneLocked begins an absence, or goes on with one that never ended.
func (c *client) goneLocked(a absence) {
	if c.absences == nil {
		c.absences = new([]absence)
	}
	if list := *c.absences; len(list) > 0 && list[len(list)-1].to == 0 {
		return
	}
	*c.absences = append(*c.absences, a)
}

// backLocked ends the absence.
func (c *client) backLocked(now int64) {
	list := *c.absences
	list[len(list)-1].to = now
}

// excuse takes the messages out that were sent during an absence, and adds
// their number to away.
func excuse(absences []absence, lost []span, pace pacer, away int64) ([]span, int64) {
	var rest []span
	for _, s := range lost {
		for n := s.first; n <= s.last; n++ {
			due := pace.due(int(n) - 1)
			during := func(a absence) bool { return n > a.had && due >= a.from && due <= a.to }
			switch last := len(rest) - 1; {
			case slices.ContainsFunc(absences, during):
				away++
			case last >= 0 && rest[last].last == n-1:
				rest[last].last = n
			default:
				rest = append(rest, span{n, n})
			}
		}
	}
	return rest, away
}
