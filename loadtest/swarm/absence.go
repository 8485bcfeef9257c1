package swarm

import (
	"math"
	"slices"
	"time"
)

// underway is how long before a client was gone what was sent may not have come
// any more: its server was dying, or had not got to it when it left.
const underway = int64(5 * time.Second)

// stillAway is the end of an absence by the client's own will, until it is back.
const stillAway = math.MaxInt64

// An absence is the time in which a client was cut off, or out of the room. What
// was sent then it cannot have, and nothing repeats it: Channels deliver at most
// once.
type absence struct {
	from, to int64 // monotonic nanoseconds; to is 0 for who is cut off and not back: that is no excuse
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
			during := func(a absence) bool { return due >= a.from && due <= a.to }
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
