package swarm

import (
	"context"
	"fmt"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// broadcast sends the messages of some rooms, each at its moment, by the hand
// of a joined client of the room.
func (f *fleet) broadcast(ctx context.Context, b broadcast) {
	for n := range f.orders.Messages {
		intended := b.Pace.due(n)
		if !waitUntil(ctx, intended) {
			return
		}
		for _, g := range f.writing(b.Rooms) {
			f.send(g, n+1, intended, b.Size)
		}
	}
}

// writing is one group for each of the rooms.
func (f *fleet) writing(rooms []int) (groups []*group) {
	wanted := make(map[int]bool)
	for _, room := range rooms {
		wanted[room] = true
	}
	for _, g := range f.groups {
		if wanted[g.room] {
			groups = append(groups, g)
			delete(wanted, g.room)
		}
	}
	return groups
}

func (f *fleet) send(g *group, seq int, intended int64, size int) {
	f.mu.Lock()
	var conn *poller.Conn
	if g.sender != nil {
		conn = g.sender.conn
	}
	f.mu.Unlock()
	if conn == nil {
		f.fault("no client left to write")
		return
	}
	now := monotonic()
	text := fmt.Appendf(nil, `["1","3",%q,%q,`, f.orders.Topic, f.orders.Event)
	text = appendPayload(text, g.writer, seq, intended, now, size)
	text = append(text, ']')
	if err := conn.Send(frame.AppendMasked(nil, opText, mask, text)); err != nil {
		f.fault("write: " + err.Error())
		return
	}
	f.mu.Lock()
	f.counts.Sent++
	f.events = append(f.events, event{Sent: &sent{Room: g.room, Seq: seq, Late: now - intended}})
	f.mu.Unlock()
}
