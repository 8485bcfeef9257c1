package fast

import (
	"fmt"
	"sync/atomic"
)

// A Message is a broadcast that the program may take for clients of a room who
// have received the one before it.
type Message struct {
	Frame  []byte // all bytes on the wire, WebSocket header included; Set copies them
	Room   uint16 // as in the record
	Number uint32 // of the room's broadcasts; wraps
	Sent   int64  // CLOCK_MONOTONIC in nanoseconds, as from order.Now
}

// Set makes a message current, in place of the one in that slot, and begins to
// count anew. Without a frame none is current from then on, and the counts of the
// last one are final. It fails with ErrFrame; then, too, none is current.
func (p *Path) Set(slot int, m Message) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := &p.messages[slot]
	atomic.StoreUint32(&c.Length, 0)
	p.Settle()
	switch {
	case len(m.Frame) == 0:
		return nil
	case len(m.Frame) > MaxFrame:
		return fmt.Errorf("%w: %d", ErrFrame, len(m.Frame))
	}
	for i := range p.processors {
		if c := p.processors[i].Counts[slot : slot+1]; c[0].Received > 0 { // else they are clear
			clear(c)
		}
	}
	c.Sent, c.Number, c.Room = uint64(m.Sent), m.Number, uint32(m.Room)
	clear(c.Frame[copy(c.Frame[:], m.Frame):])
	atomic.StoreUint32(&c.Length, uint32(len(m.Frame)))
	return nil
}
