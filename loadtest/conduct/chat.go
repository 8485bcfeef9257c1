package conduct

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// headStart is how long after the command the first message is due.
const headStart = 300 * time.Millisecond

// broadcast has the writers write, and waits for what they wrote.
func (r *run) broadcast(ctx context.Context) error {
	if err := r.speak(); err != nil {
		return err
	}
	return r.until(ctx, r.allArrived)
}

// speak has the writers write.
func (r *run) speak() error {
	r.enter("broadcast")
	s := order.Schedule{Pace: order.NewPacer(order.Now()+int64(headStart), r.plan.Rate), Rooms: 1, Writers: r.plan.Writers}
	if r.plan.Spread {
		s.Rooms = len(r.rooms)
	}
	r.casting.begin(s, r.serverUsage().CPUNs)
	for w, voices := range r.voices() {
		if err := w.tell(order.Command{Broadcast: &order.Broadcast{Schedule: s, Size: r.cfg.Size, Voices: voices}}); err != nil {
			return err
		}
	}
	last := order.Voice{Room: s.Rooms - 1, Writer: r.plan.Writers - 1}
	r.lastArrival = s.Of(last).Due(r.plan.Messages - 1)
	return nil
}

// voices divides the writers of each room among the processes that hold clients
// of it.
func (r *run) voices() map[*worker][]order.Voice {
	voices := make(map[*worker][]order.Voice)
	for room := range r.rooms {
		holders := slices.DeleteFunc(slices.Clone(r.workers), func(w *worker) bool { return w.joined[room] == 0 })
		if len(holders) == 0 {
			r.note("error", fmt.Sprintf("nobody joined room %d: nothing is sent there", room))
			continue
		}
		if r.part.firstWrites {
			holders = holders[:1]
		}
		for writer := range r.plan.Writers {
			w := holders[writer%len(holders)]
			voices[w] = append(voices[w], order.Voice{Room: room, Writer: writer})
		}
	}
	return voices
}

// allArrived says that there is nothing to wait for any more.
func (r *run) allArrived() bool {
	all := r.joinedOnce() * int64(r.plan.Messages*r.plan.Writers)
	return r.counts().Delivered >= all || order.Now() > r.lastArrival+int64(r.cfg.Drain)
}

// allSent says that no writer has more to send, or that they are stuck.
func (r *run) allSent() bool {
	unfinished := func(sent int) bool { return sent < r.plan.Messages }
	writing := func(room room) bool { return room.joined > 0 && slices.ContainsFunc(room.sent, unfinished) }
	return !slices.ContainsFunc(r.rooms, writing) || order.Now() > r.lastArrival+int64(r.cfg.Drain)
}
