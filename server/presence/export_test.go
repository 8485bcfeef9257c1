package presence

import (
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// Kept is how many things are kept for channels and topics.
func (p *Presence) Kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.topics) + len(p.local) + len(p.seats) + len(p.counts) + len(p.dirty)
}

// Ends has told called with each end of a channel that is seen. It must be called
// before the first Track.
func (p *Presence) Ends(told func()) {
	p.end = func(ch *phx.Channel) {
		told()
		p.channelEnded(ch)
	}
}

// TellAt tells clients what they would be told at a time.
func (p *Presence) TellAt(now time.Time) { p.tellDue(now) }

// Replace has a channel of a topic that is only counted go, and come again.
func (p *Presence) Replace(ch *phx.Channel, topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.addLocked(p.seats[ch].topic, -1)
	delete(p.seats, ch)
	p.sitLocked(ch, topic)
}

// Pending is of how many topics clients have yet to be told something.
func (p *Presence) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dirty)
}
