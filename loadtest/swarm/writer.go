package swarm

import (
	"cmp"
	"context"
	"slices"

	"github.com/roost-rt/roost/loadtest/channels"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/server/frame"
)

// broadcast sends the messages of some writers, each at its moment, by the hand
// of a joined client of the room.
func (f *fleet) broadcast(ctx context.Context, b order.Broadcast) {
	slices.SortStableFunc(b.Voices, func(v, w order.Voice) int {
		return cmp.Compare(b.Schedule.Of(v).Start, b.Schedule.Of(w).Start)
	})
	groups := f.groupsByRoom()
	for n := range f.orders.Messages {
		for _, v := range b.Voices {
			intended := b.Schedule.Of(v).Due(n)
			if !f.waitUntil(ctx, intended) {
				return
			}
			f.send(groups[v.Room], v.Writer, n+1, intended, b.Size)
		}
	}
}

// groupsByRoom are the groups of each room.
func (f *fleet) groupsByRoom() map[int][]*group {
	groups := make(map[int][]*group)
	for _, g := range f.groups {
		groups[g.room] = append(groups[g.room], g)
	}
	return groups
}

// speaker is who sends a writer's messages now, of the first group of the room
// that has anybody; conn is nil if none has.
func (f *fleet) speaker(groups []*group, writer int) (g *group, conn connection) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, g := range groups {
		if c := g.speakerLocked(writer); c != nil && c.linked {
			return g, c.connLocked()
		}
	}
	return nil, nil
}

// unsent counts a message that could not be sent: no client misses it.
func (f *fleet) unsent(kind string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.counts.Unsent++
	f.faultLocked(kind)
}

func (f *fleet) send(groups []*group, writer, seq int, intended int64, size int) {
	g, conn := f.speaker(groups, writer)
	if conn == nil {
		f.unsent("no client left to write")
		return
	}
	now := f.now()
	text := f.opening(messageRef, g.topic, f.orders.Event)
	text = f.closing(appendPayload(text, channels.Stamp{Writer: g.writer + uint32(writer), Seq: int32(seq), Intended: intended, Sent: now}, size))
	if err := conn.Send(frame.AppendMasked(nil, opText, mask, text)); err != nil {
		f.unsent("write: " + err.Error())
		return
	}
	f.mu.Lock()
	f.counts.Sent++
	f.late.Add(now - intended)
	f.events = append(f.events, order.Event{Sent: &order.Sent{Voice: order.Voice{Room: g.room, Writer: writer}, Seq: seq, Late: now - intended}})
	f.mu.Unlock()
}
