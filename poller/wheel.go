package poller

import "time"

// tickLength is the grain of all timeouts.
const tickLength = 100 * time.Millisecond

// horizon is the number of ticks that the wheel can look ahead. Longer
// deadlines are looked at again when it has come round.
const horizon = 1023

// A clock counts ticks by the time that has passed. A ticker alone loses those
// that come late: on a busy host, or with a timer slack of a tick, half of them.
type clock struct{ ticks int64 }

// mostTicks is how many ticks a late one may make up for at once. After a longer
// pause of the process, or of the host, the rest follows with the next ones: bytes
// that came meanwhile are read in between, and nobody is taken for silent.
const mostTicks = 10

// due is how many ticks to advance, once so much time has passed since the start.
func (c *clock) due(passed time.Duration) int64 {
	n := min(max(int64(passed/tickLength)-c.ticks, 0), mostTicks)
	c.ticks += n
	return n
}

// ticks rounds a duration up to ticks, to at most what Conn.idle can hold. One
// more is for the tick under way, of which an unknown part is over.
func ticks(d time.Duration) uint32 {
	if d <= 0 {
		return 0
	}
	return uint32(min((d-1)/tickLength+2, 1<<16-1))
}

// A wheel holds every open connection of a loop in the bucket of the tick at
// which it has to be looked at. A connection that is active is not moved: its
// deadline is worked out anew when its bucket comes up, so that traffic costs
// one store. It also is the list of all connections.
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

// each calls do for every open connection.
func (w *wheel) each(do func(*Conn)) {
	for i, bucket := range w.buckets {
		for _, c := range bucket {
			// Where a deadline was moved, only the entry that is due counts.
			if c.handler != nil && c.due%uint32(len(w.buckets)) == uint32(i) {
				do(c)
			}
		}
	}
}
