package presence

import (
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// Kept is how many things are kept for channels and topics.
func (p *Presence) Kept() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.topics) + len(p.local) + len(p.guests) + len(p.seated) + len(p.seats) + len(p.counts) + len(p.dirty)
}

// Ends has told called with each end of a channel that is seen. It must be called
// before the first Track.
func (p *Presence) Ends(told func()) { p.end = &ends{p.end, told} }

type ends struct {
	phx.EndWatcher
	told func()
}

func (e *ends) ChannelEnded(ch *phx.Channel) {
	e.told()
	e.EndWatcher.ChannelEnded(ch)
}

// TellAt tells clients what they would be told at a time.
func (p *Presence) TellAt(now time.Time) { p.tellDue(now) }

// Stand has a channel of a topic that is only counted go, and Sit has it come again.
func (p *Presence) Stand(ch *phx.Channel) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.standLocked(ch)
}

func (p *Presence) Sit(ch *phx.Channel, topic string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.sitLocked(ch, topic)
}

// Pending is of how many topics clients have yet to be told something.
func (p *Presence) Pending() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.dirty)
}

// CountsOnly reports whether a topic has no names.
func (p *Presence) CountsOnly(topic string) bool { return p.countOnly(topic) }

// Clock is how far this node will have come once it has told what it counts.
func (p *Presence) Clock() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Clock() + uint64(len(p.counts))
}

// Known is how far another node is known.
func (p *Presence) Known(node string) uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state.Known(node)
}

// StateSize is what a newcomer to a topic is sent: bytes of payloads, and messages.
func (p *Presence) StateSize(topic string) (bytes, messages int) {
	s, err := p.stateOf(topic)
	if err != nil {
		panic(err)
	}
	for _, part := range s.parts {
		bytes += len(part.JSON())
	}
	return bytes, len(s.parts)
}
