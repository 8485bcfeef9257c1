package poller

import (
	"math"
	"time"
)

// tickLength is the grain of all timeouts.
const tickLength = 100 * time.Millisecond

// horizon is the number of ticks that the wheel can look ahead. Longer
// deadlines are looked at again when it has come round.
const horizon = 1023

// ticks rounds a duration up to ticks, to at most what Conn.idle can hold. It adds
// one for the tick under way, because an unknown part of that is over.
func ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/tickLength+2, 1<<16-1))
}

// A wheel holds every open connection of a loop in the bucket of the tick at
// which it has to be looked at. A connection that is active is not moved: its
// deadline is worked out anew when its bucket comes up, so that traffic costs
// one store.
type wheel struct {
	now     uint32 // ticks since the start
	buckets [horizon + 1][]*Conn
}

// add puts c in the bucket that comes up in the given number of ticks, which is
// cut to the range from one to the horizon.
func (w *wheel) add(c *Conn, in uint32) {
	c.due = w.now + min(max(in, 1), horizon)
	b := &w.buckets[c.due%uint32(len(w.buckets))]
	*b = append(*b, c)
}

// advance moves to the next tick and empties its bucket. The memory of a large
// bucket is let go, or a crowd that moves round the wheel would leave its size
// in every bucket.
func (w *wheel) advance() []*Conn {
	w.now++
	b := &w.buckets[w.now%uint32(len(w.buckets))]
	conns := *b
	*b = nil
	return conns
}

// never is a tick that does not come.
const never = math.MaxUint32

// next is the next tick whose bucket holds something, or never.
func (w *wheel) next() uint32 {
	for in := range uint32(len(w.buckets)) {
		if len(w.buckets[(w.now+1+in)%uint32(len(w.buckets))]) > 0 {
			return w.now + 1 + in
		}
	}
	return never
}

// skip moves to a later tick, as far as nothing is due on the way and at its end.
func (w *wheel) skip(to uint32) { w.now = max(w.now, min(to, w.next()-1)) }
