package swarm

import (
	"net/netip"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
)

// A group is the clients of one room that one process holds, at one server.
type group struct {
	fleet   *fleet               // immutable
	room    int                  // immutable
	topic   string               // immutable
	writer  uint32               // immutable; in the payloads of this room's first writer, the others' numbers follow
	join    []byte               // immutable frame
	leave   []byte               // likewise
	first   uint32               // immutable; the number of clients[0]
	place   int                  // immutable; how many clients of the fleet are before clients[0]
	clients []client             // the slab; each belongs to its loop
	tops    []int32              // for each client one of every writer, likewise; see ledger
	gaps    map[int][]order.Span // likewise, of the few whose ledgers have any

	broadcastHead, okHead []byte // immutable; see recognized
	welcome               []byte // the last answer to a join that let a client in, which others are known by; loop only

	*audience // immutable; the room's

	// Behind fleet.mu.
	speakers []*client        // by writer: a joined one, which sends its messages; nil if there is none
	vacant   int              // how many of them are nil
	remotes  []netip.AddrPort // of the server, by turns
}

// An audience is the clients of one room that one process holds, at all servers. It
// is guarded by fleet.mu.
type audience struct {
	fleet    *fleet      // immutable
	room     int         // immutable
	mark     uint16      // immutable; see markOf
	joined   int64       // once
	gone     int64       // of these, that are not there now
	receipts []*receipts // by writer and message, see receiptsOf; the length is fixed
	open     []message   // those that wait for receipts, in the order of the first one
}

// ledgerAt is where a client's ledger of a writer is kept.
func (g *group) ledgerAt(c *client, writer int) int {
	return int(c.number-g.first)*len(g.speakers) + writer
}

// ledger is a client's of a writer. Kept are 4 bytes of each, and what is missing where
// anything is.
func (g *group) ledger(c *client, writer int) ledger {
	i := g.ledgerAt(c, writer)
	return ledger{g.tops[i], g.gaps[i]}
}

// receive enters a message in a client's ledger of its writer.
func (g *group) receive(c *client, writer int, n int32) receipt {
	i := g.ledgerAt(c, writer)
	if n == g.tops[i]+1 {
		g.tops[i] = n
		return inOrder
	}
	l := g.ledger(c, writer)
	r := l.receive(n)
	g.tops[i] = l.top
	if len(l.missing) > 0 {
		g.gaps[i] = l.missing
	} else {
		delete(g.gaps, i)
	}
	return r
}

// receiptsOf is the place for the receipts of one message.
func (a *audience) receiptsOf(writer, seq int) **receipts {
	return &a.receipts[writer*a.fleet.orders.Messages+seq-1]
}

// receipts are how one message came to the clients of a group.
type receipts struct {
	latency     order.Sample
	first, last int64 // nanoseconds from the intended send
	want        int64 // receipts that complete it
}

// A message is one that has receipts.
type message struct {
	writer, seq int
	intended    int64
}

// opened and closed note whether a client has a connection. closed reports false if
// it was not this one.
func (g *group) opened(c *client) {
	g.fleet.mu.Lock()
	c.linked = true
	g.fleet.mu.Unlock()
}

func (g *group) closed(c *client, conn connection) bool {
	g.fleet.mu.Lock()
	defer g.fleet.mu.Unlock()
	if c.connLocked() != conn {
		return false
	}
	c.linked = false
	return true
}

// joinedBy counts a client.
func (g *group) joinedBy(c *client, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	g.appointLocked(c)
	if c.joinedOnce {
		g.gone--
		f.returnedLocked(c, now)
		return
	}
	c.joinedOnce = true
	g.joined++
	f.countJoinLocked(c, now)
}

// countJoinLocked counts a client that has joined for the first time.
func (f *fleet) countJoinLocked(c *client, now int64) {
	f.counts.Joined++
	f.lastJoin = max(f.lastJoin, now)
	order.Observe(f.joinLatency, now-c.dialed)
	f.settleLocked()
}

// left counts a client that is gone before the end.
func (g *group) left(c *client, was phase, err error) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	g.dismissLocked(c)
	if was > upgrading {
		f.counts.Disconnected++
	}
	if !f.stopping && (was == joined || was == leaving) { // else it was gone before
		g.goneLocked(c)
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
func (g *group) received(c *client, writer int, s channels.Stamp, r receipt, now int64) {
	f := g.fleet
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r {
	case duplicate:
		f.counts.Duplicated++
		return
	case reordered:
		f.counts.Reordered++
	}
	f.lastReceipt = max(f.lastReceipt, now)
	if now < s.Sent {
		f.faultLocked("receipt before its send: clocks differ") // and no perfect latency
		now = 0
	}
	g.takeLocked(writer, s, now, 1)
}

// takeLocked counts receipts of a message at a moment, which is 0 if it is not known.
func (a *audience) takeLocked(writer int, s channels.Stamp, at, times int64) {
	f := a.fleet
	f.counts.Delivered += times
	f.lastReceipt = max(f.lastReceipt, at)
	took := max(0, at-s.Intended)
	if at > 0 {
		order.ObserveMany(f.latency, took, times)
		order.ObserveMany(f.rawLatency, at-s.Sent, times)
		order.ObserveMany(f.interval, took, times)
	}
	if took > int64(f.orders.Late) {
		f.counts.Late += times
	}

	place := a.receiptsOf(writer, int(s.Seq))
	in := *place
	switch in {
	case nil:
		in = &receipts{first: took, want: a.joined - a.gone}
		*place = in
		a.open = append(a.open, message{writer, int(s.Seq), s.Intended})
	case f.reported:
		return // it comes too late, or to one more than there seemed to be
	}
	in.last = took
	in.latency.AddMany(took, times)
	if in.latency.Count() >= in.want && !f.batched {
		f.reportLocked(a, writer, int(s.Seq))
	}
}

// goneLocked notes that a client has left or was cut off: the receipts that it owes are
// no longer expected.
func (g *group) goneLocked(c *client) {
	a := g.audience
	a.gone++
	for _, at := range a.open {
		in := *a.receiptsOf(at.writer, at.seq)
		if in == g.fleet.reported || g.ledger(c, at.writer).has(int32(at.seq)) {
			continue
		}
		in.want--
		if in.latency.Count() >= in.want {
			g.fleet.reportLocked(a, at.writer, at.seq)
		}
	}
}

// tellLocked reports the messages that were sent so long ago that what is missing
// is not waited for. It keeps memory bounded: a histogram is 25 KB.
func (a *audience) tellLocked(now int64) {
	limit := int64(a.fleet.orders.Tell)
	for len(a.open) > 0 {
		at := a.open[0]
		if *a.receiptsOf(at.writer, at.seq) != a.fleet.reported {
			if limit == 0 || now-at.intended < limit {
				return
			}
			a.fleet.reportLocked(a, at.writer, at.seq)
		}
		a.open = a.open[1:]
	}
}
