package swarm

import (
	"math"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// Messages that were under way when an absence began are lost with it. How long they may
// have been under way is the time of the slowest message of the run in this process,
// within bounds.
const (
	// leastUnderway is for who left of its own will. Its server sends the phx_close
	// after all that it sent to that socket before, so what is missing rightly is
	// what the server came to after the leave: it is no older than messages take,
	// to all who got them.
	leastUnderway = int64(time.Second)

	// leastCutOff is for a client that was cut off: the messages in its server's queues
	// are gone, too, and no one saw how long they would have taken.
	leastCutOff = int64(5 * time.Second)

	// mostUnderway bounds both: what has not come by then was not going to.
	mostUnderway = int64(30 * time.Second)
)

// stillAway is the end of an absence by the client's own will, until it is back.
const stillAway = math.MaxInt64

// An absence is the time in which a client was cut off, or out of the room. What
// was sent then it cannot have, nor what was on its way, and nothing repeats it:
// Channels deliver at most once. But a writer's messages come in order, so what
// is missing among those that it had already was lost before.
type absence struct {
	from, to int64   // monotonic nanoseconds; to is 0 for who is cut off and not back: that is no excuse
	least    int64   // nanoseconds before from in which a message may have been under way, see excuse
	had      []int32 // by writer: the number up to which it had heard of the messages
	tries    int     // to come back
}

// absentLocked begins an absence now.
func (c *client) absentLocked(to, least int64) {
	var had []int32
	for writer := range c.group.speakers {
		had = append(had, c.group.ledger(c, writer).top)
	}
	c.goneLocked(absence{from: c.group.fleet.now(), to: to, least: least, had: had})
}

// goneLocked begins an absence, or goes on with one that never ended.
func (c *client) goneLocked(a absence) {
	if last := c.lastAbsenceLocked(); last != nil && last.to == 0 {
		return
	}
	f := c.group.fleet
	f.absences[c.number] = append(f.absences[c.number], a)
}

// lastAbsenceLocked is nil for who was always there.
func (c *client) lastAbsenceLocked() *absence {
	list := c.group.fleet.absences[c.number]
	if len(list) == 0 {
		return nil
	}
	return &list[len(list)-1]
}

// awayLocked reports whether an absence has begun and not ended.
func (c *client) awayLocked() bool {
	last := c.lastAbsenceLocked()
	return last != nil && (last.to == 0 || last.to == stillAway)
}

// backLocked ends the absence.
func (c *client) backLocked(now int64) { c.lastAbsenceLocked().to = now }

// excuse takes the messages of a writer out that were sent during an absence, or
// were under way when it began, and adds their number to away. slowest is how
// long messages took at most in this process.
func excuse(absences []absence, lost []order.Span, writer int, pace order.Pacer, slowest, away int64) ([]order.Span, int64) {
	var rest []order.Span
	for _, s := range lost {
		for n := s.First; n <= s.Last; n++ {
			due := pace.Due(int(n) - 1)
			during := func(a absence) bool {
				underway := min(max(slowest, a.least), mostUnderway)
				return n > a.had[writer] && due >= a.from-underway && due <= a.to
			}
			switch last := len(rest) - 1; {
			case slices.ContainsFunc(absences, during):
				away++
			case last >= 0 && rest[last].Last == n-1:
				rest[last].Last = n
			default:
				rest = append(rest, order.Span{First: n, Last: n})
			}
		}
	}
	return rest, away
}
