package swarm

import (
	"math"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/vtcp/fast"
	"github.com/roost-rt/roost/server/frame"
)

// A fastPath has the kernel take broadcasts for virtual clients. The loop tells it
// what a client has read the first time, and later learns who has that, too. It is
// the loop's.
type fastPath struct {
	fleet *fleet
	path  *fast.Path
	slots [fast.Slots]slot
	next  int // where the next message goes
}

// A slot has a message that the kernel may take.
type slot struct {
	audience *audience // nil: none
	stamp    channels.Stamp
	counted  fast.Counts // of what the fleet has counted
}

// add makes a message current that a client of a group has read.
func (p *fastPath) add(g *group, text []byte, s channels.Stamp) {
	if s.Writer != g.writer || g.audience.mark == 0 || s.Seq < 1 || int(s.Seq) > p.fleet.orders.Messages {
		return // somebody else's, of a room beyond those that can be told apart, or never sent
	}
	for i := range p.slots {
		if p.slots[i].audience == g.audience && p.slots[i].stamp == s {
			return
		}
	}
	p.free(p.next)
	err := p.path.Set(p.next, fast.Message{
		Frame:  frame.Append(nil, opText, text),
		Room:   g.audience.mark,
		Number: uint32(s.Seq),
		Sent:   s.Intended - p.fleet.orders.Clock,
	})
	if err != nil {
		return // it is too long, and each client takes it by itself
	}
	p.slots[p.next] = slot{audience: g.audience, stamp: s}
	p.next = (p.next + 1) % len(p.slots)
}

// free takes a message back from the kernel.
func (p *fastPath) free(i int) {
	_ = p.path.Set(i, fast.Message{}) // it only fails for what is too long
	p.collect(i)
	p.slots[i] = slot{}
}

// collect counts the receipts that are new.
func (p *fastPath) collect(i int) {
	s := &p.slots[i]
	if s.audience == nil || p.path.Received(i) == s.counted.Received {
		return
	}
	is := p.path.Counts(i)
	p.fleet.mu.Lock()
	defer p.fleet.mu.Unlock()
	s.audience.takenLocked(s.stamp, is, s.counted)
	s.counted = is
}

// takenLocked counts the receipts of a message that the kernel has taken, and had not
// before. A moment is as exact as its bucket, except the first and the last.
func (a *audience) takenLocked(s channels.Stamp, is, before fast.Counts) {
	f := a.fleet
	first, last := is.First+f.orders.Clock, is.Last+f.orders.Clock
	for b := range is.Latency {
		times := int64(is.Latency[b])
		if before.Latency != nil {
			times -= int64(before.Latency[b])
		}
		if times > 0 {
			at := s.Intended + fast.Latency(b)*1000
			a.takeLocked(0, s, min(max(at, first), last), times)
			f.counts.Taken += times
		}
	}
	f.lastReceipt = max(f.lastReceipt, last)
	if in := *a.receiptsOf(0, int(s.Seq)); in != f.reported {
		in.last = max(in.last, last-s.Intended)
	}
}

// collectAll does so for all messages, and reports those that all clients have. It
// alone does: whoever counted the last receipt, messages are reported in their order.
func (p *fastPath) collectAll() {
	for i := range p.slots {
		p.collect(i)
	}
	p.fleet.mu.Lock()
	defer p.fleet.mu.Unlock()
	for _, a := range p.fleet.audiences {
		a.completeLocked()
	}
}

// completeLocked reports the messages that have all their receipts.
func (a *audience) completeLocked() {
	for _, at := range a.open {
		if in := *a.receiptsOf(at.writer, at.seq); in != a.fleet.reported && in.latency.Count() >= in.want {
			a.fleet.reportLocked(a, at.writer, at.seq)
		}
	}
}

// close ends it. The records are gone then.
func (p *fastPath) close() { _ = p.path.Close() } // there is nothing left to lose

// caughtUp enters in the ledger what the kernel took up to a number, in order.
func (g *group) caughtUp(c *client, number uint32) {
	if top := &g.tops[g.ledgerAt(c, 0)]; int32(number) > *top {
		*top = int32(number)
	}
}

// markOf returns the kernel's mark of the n-th audience; 0 marks none.
func markOf(n int) uint16 {
	if n >= math.MaxUint16 {
		return 0
	}
	return uint16(n + 1)
}
