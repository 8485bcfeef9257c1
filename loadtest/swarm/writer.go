package swarm

import (
	"cmp"
	"context"
	"slices"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
)

// broadcast sends the messages of some writers, each at its moment, by the hand
// of a joined client of the room.
func (f *fleet) broadcast(ctx context.Context, b broadcast) {
	slices.SortStableFunc(b.Voices, func(v, w voice) int {
		return cmp.Compare(b.Schedule.of(v).Start, b.Schedule.of(w).Start)
	})
	groups := f.groupsByRoom()
	for n := range f.orders.Messages {
		for _, v := range b.Voices {
			intended := b.Schedule.of(v).due(n)
			if !f.waitUntil(ctx, intended) {
				return
			}
			f.send(groups[v.Room], v.Writer, n+1, intended, b.Size)
		}
	}
}

// groupsByRoom is a group with joined clients for each room that has one.
func (f *fleet) groupsByRoom() map[int]*group {
	f.mu.Lock()
	defer f.mu.Unlock()
	groups := make(map[int]*group)
	for _, g := range f.groups {
		if groups[g.room] == nil && g.joined > 0 {
			groups[g.room] = g
		}
	}
	return groups
}

func (f *fleet) send(g *group, writer, seq int, intended int64, size int) {
	f.mu.Lock()
	var conn *poller.Conn
	if c := g.speakerLocked(writer); c != nil {
		conn = c.conn
	}
	f.mu.Unlock()
	if conn == nil {
		f.fault("no client left to write")
		return
	}
	now := f.now()
	text := f.opening("3", g.topic, f.orders.Event)
	text = f.closing(appendPayload(text, g.writer+uint32(writer), seq, intended, now, size))
	if err := conn.Send(frame.AppendMasked(nil, opText, mask, text)); err != nil {
		f.fault("write: " + err.Error())
		return
	}
	f.mu.Lock()
	f.counts.Sent++
	f.events = append(f.events, event{Sent: &sent{voice: voice{g.room, writer}, Seq: seq, Late: now - intended}})
	f.mu.Unlock()
}
