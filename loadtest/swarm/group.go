package swarm

import (
	"net/netip"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/roost-rt/roost/poller"
)

// A group is the clients of one room that one process holds.
type group struct {
	fleet   *fleet         // immutable
	room    int            // immutable
	writer  uint32         // immutable; what the payloads of this room's writer hold
	remote  netip.AddrPort // immutable
	clients []client       // the slab; each belongs to its loop

	// Behind fleet.mu.
	joined int64
	sender *client          // a joined one, which speaks for the room; nil if there is none
	moved  []netip.AddrPort // where to go when remote is no more; nil while it is there
	fanIns []*fanIn         // by seq-1; the length is fixed
}

// A fanIn is the receipts of one message by the clients of a group.
type fanIn struct {
	latency     *hdrhistogram.Histogram // nil once reported
	first, last int64                   // nanoseconds from the intended send
}

// opened and closed keep the connection of a client. closed reports false if it
// was not this one.
func (g *group) opened(c *client, conn *poller.Conn) {
	g.fleet.mu.Lock()
	c.conn = conn
	g.fleet.mu.Unlock()
}

func (g *group) closed(c *client, conn *poller.Conn) bool {
	g.fleet.mu.Lock()
	defer g.fleet.mu.Unlock()
	if c.conn != conn {
		return false
	}
	c.conn = nil
	return true
}

// joinedBy counts a client.
func (g *group) joinedBy(c *client, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.sender == nil {
		g.sender = c
	}
	if c.joinedOnce {
		f.returnedLocked(c, now)
		return
	}
	c.joinedOnce = true
	f.counts.Joined++
	f.lastJoin = max(f.lastJoin, now)
	observe(f.joinLatency, now-c.dialed)
	g.joined++
	f.settleLocked()
}

// left counts a client that is gone before the end.
func (g *group) left(c *client, was phase, err error) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.sender == c {
		g.sender = nil // the next client that hears something takes over
	}
	switch {
	case f.stopping:
	case f.orders.Reconnect && c.joinedOnce:
		f.leftLocked(c, was)
	default:
		f.faultLocked(err.Error())
		if !c.joinedOnce {
			f.settleLocked()
		}
	}
}

// received counts one message at one client.
func (g *group) received(c *client, s stamp, r receipt, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	if g.sender == nil {
		g.sender = c
	}
	switch r {
	case duplicate:
		f.counts.Duplicated++
		return
	case reordered:
		f.counts.Reordered++
	}
	f.counts.Delivered++
	f.lastReceipt = max(f.lastReceipt, now)
	observe(f.latency, now-s.intended)
	observe(f.rawLatency, now-s.sent)
	observe(f.interval, now-s.intended)

	in := g.fanIns[s.seq-1]
	if in == nil {
		in = &fanIn{latency: newHistogram(2), first: now - s.intended}
		g.fanIns[s.seq-1] = in
	}
	in.last = now - s.intended
	observe(in.latency, in.last)
	if in.latency.TotalCount() == g.joined {
		f.reportLocked(g, int(s.seq))
	}
}
