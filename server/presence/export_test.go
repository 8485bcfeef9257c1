package presence

import "github.com/roost-rt/roost/server/phx"

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
		p.channelEnded(ch)
		told()
	}
}
