package swarm

import (
	"context"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/loadtest/order"
)

// A churning is the leaves and joins of a fleet. It is guarded by fleet.mu.
type churning struct {
	next   int                     // client, counted over all groups
	leaves *hdrhistogram.Histogram // intended phx_leave to phx_close
	joins  *hdrhistogram.Histogram // phx_join to its reply
}

// churn has clients leave, one after the other, until ctx is done. They come
// back by themselves.
func (f *fleet) churn(ctx context.Context, pace order.Pacer) {
	f.mu.Lock()
	f.churning = &churning{leaves: order.NewHistogram(3), joins: order.NewHistogram(3)}
	f.mu.Unlock()
	for n := 0; f.waitUntil(ctx, pace.Due(n)); n++ {
		var conn connection
		f.mu.Lock()
		c := f.takeTurnLocked(&f.churning.next, (*client).listensLocked)
		switch {
		case c == nil:
			f.faultLocked("no client to leave")
		case c.awayLocked():
			f.faultLocked(skipped)
		default:
			conn = c.connLocked()
		}
		f.mu.Unlock()
		if conn != nil {
			intended := pace.Due(n)
			conn.Post(func() { c.leave(conn, intended) })
		}
	}
}

// skipped is recorded when a scheduled leave could not happen. It is not handed to
// the next client, which has a slot of its own.
const skipped = "leave skipped: the client was still away, or had to write"

// listensLocked reports whether a client is there and does not speak for its
// room.
func (c *client) listensLocked() bool {
	return c.linked && c.joinedOnce && !c.group.speaksLocked(c)
}

// leave asks to leave the topic. The join that follows has the same join_ref:
// no two of the client's channels live at the same time.
func (c *client) leave(conn connection, intended int64) {
	if c.phase != joined || !c.group.leaves(c) { // cut off, or a speaker by now
		c.group.fleet.fault(skipped)
		return
	}
	c.phase = leaving
	c.dialed = intended
	c.group.fleet.leftLate(intended)
	conn.SetDeadline(joinTimeout)
	_ = conn.SendShared(c.group.leave) // if it fails, closed follows
}

// hasLeft takes the end of the channel.
func (c *client) hasLeft(conn connection, now int64) {
	c.phase = away
	c.group.hasLeft(c, now-c.dialed)
	conn.SetDeadline(order.Pause)
}

// rejoin asks to join again.
func (c *client) rejoin(conn connection) {
	c.phase = joining
	c.waiting = false // the heartbeat before it left has been answered or will be
	c.dialed = c.group.fleet.now()
	conn.SetDeadline(joinTimeout)
	_ = conn.SendShared(c.group.join) // if it fails, closed follows
}

// leftLate notes how long after its moment a leave is made.
func (f *fleet) leftLate(intended int64) {
	f.mu.Lock()
	f.late.Add(f.now() - intended)
	f.mu.Unlock()
}

// leaves counts a client that begins to leave, and excuses it from now on. It
// reports false if the room needs it.
func (g *group) leaves(c *client) bool {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.speaksLocked(c) {
		return false
	}
	f.counts.Left++
	c.absentLocked(stillAway, leastUnderway)
	return true
}

// hasLeft counts one that has left, and how long it took.
func (g *group) hasLeft(c *client, took int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Gone++
	g.goneLocked(c)
	order.Observe(f.churning.leaves, took)
}
