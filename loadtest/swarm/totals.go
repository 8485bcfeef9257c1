package swarm

import (
	"fmt"
	"strings"

	"github.com/roost-rt/roost/loadtest/order"
)

// maxExamples is how many clients with a loss are named by each process, and
// maxSpans how much is said of each.
const (
	maxExamples = 5
	maxSpans    = 5
)

// close ends all connections. No client is touched any more after it.
func (f *fleet) close() {
	f.mu.Lock()
	f.stopping = true
	f.mu.Unlock()
	f.network.close()
}

// total makes the account, after close.
func (f *fleet) total(s order.Stop) *order.Totals {
	f.mu.Lock()
	defer f.mu.Unlock()
	if missing := f.counts.Pings - f.counts.Replies; missing > 0 {
		f.counts.Errors["ping not answered"] = missing
	}
	t := &order.Totals{
		Counts:      f.counts.Clone(),
		LastReceipt: f.lastReceipt,
		Latency:     order.Encode(f.latency),
		Raw:         order.Encode(f.rawLatency),
		Join:        order.Encode(f.joinLatency),
	}
	slowest := f.latency.Max() * 1000
	for _, g := range f.groups {
		for i := range g.clients {
			g.audit(t, &g.clients[i], s, slowest)
		}
	}
	for _, a := range f.audiences {
		for i, in := range a.receipts { // those that did not reach all
			if in != nil && in != f.reported {
				f.reportLocked(a, i/f.orders.Messages, i%f.orders.Messages+1)
			}
		}
	}
	return t
}

// audit counts what one client should have and has not. slowest is how many
// nanoseconds a message took at most.
func (g *group) audit(t *order.Totals, c *client, s order.Stop, slowest int64) {
	if !c.joinedOnce {
		return
	}
	for writer := range g.speakers {
		lost := without(g.ledger(c, writer).lost(int32(s.Sent[g.room][writer])), s.Unsent[g.room][writer])
		if absences := g.fleet.absences[c.number]; absences != nil {
			lost, t.Away = excuse(absences, lost, writer, s.Schedule.Of(order.Voice{Room: g.room, Writer: writer}), slowest, t.Away)
		}
		for _, s := range lost {
			t.Lost += s.Length()
		}
		if len(lost) > 0 && len(t.Examples) < maxExamples {
			t.Examples = append(t.Examples, example(order.Voice{Room: g.room, Writer: writer}, c, lost))
		}
	}
}

// example is one client's loss, for people.
func example(v order.Voice, c *client, lost []order.Span) string {
	of := ""
	if len(c.group.speakers) > 1 {
		of = fmt.Sprintf(" of writer %d", v.Writer)
	}
	return fmt.Sprintf("room %d client %d missed %s%s", v.Room, c.number, spell(lost), of)
}

// spell lists the first few spans for people.
func spell(spans []order.Span) string {
	var list []string
	for i, s := range spans {
		switch {
		case i == maxSpans:
			return strings.Join(append(list, "…"), ", ")
		case s.First == s.Last:
			list = append(list, fmt.Sprint(s.First))
		default:
			list = append(list, fmt.Sprintf("%d..%d", s.First, s.Last))
		}
	}
	return strings.Join(list, ", ")
}
