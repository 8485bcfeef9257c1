package fast

import (
	"math/bits"
	"sync/atomic"
)

// precision is how many bits of a latency its bucket keeps, the first apart.
const precision = 8

// Counts are the receipts of one message.
type Counts struct {
	Received uint64 // the sum of Latency
	First    int64  // CLOCK_MONOTONIC in nanoseconds; 0: none
	Last     int64

	// Latency has the receipts by time since Message.Sent; [Latency] says what
	// the buckets are.
	Latency []uint64
}

// Received returns how many receipts the program has counted of the message in a
// slot. While it counts one, this and Counts may differ by it.
func (p *Path) Received(slot int) (n uint64) {
	for i := range p.processors {
		n += atomic.LoadUint64(&p.processors[i].Counts[slot].Received)
	}
	return n
}

// Counts returns what the program has counted of the message in a slot. A receipt
// that it counts just now may be in First and Last, and not in the sums yet.
func (p *Path) Counts(slot int) Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	sum := Counts{Latency: make([]uint64, len(p.processors[0].Counts[slot].Latency))}
	for i := range p.processors {
		c := &p.processors[i].Counts[slot]
		if atomic.LoadUint64(&c.Received) == 0 {
			continue // the processor has taken none
		}
		if first := int64(atomic.LoadUint64(&c.First)); first > 0 && (sum.First == 0 || first < sum.First) {
			sum.First = first
		}
		sum.Last = max(sum.Last, int64(atomic.LoadUint64(&c.Last)))
		for b := range c.Latency {
			n := uint64(atomic.LoadUint32(&c.Latency[b]))
			sum.Latency[b] += n
			sum.Received += n
		}
	}
	return sum
}

// Latency returns the microseconds that a bucket stands for: its middle, which is
// 0.2 % off at most. Buckets are exact to 511, and 256 to each power of two from
// there to 18 minutes, where the last one holds all that is longer.
func Latency(bucket int) int64 {
	shift := max(bucket>>precision-1, 0)
	low := int64(bucket-shift<<precision) << shift
	return low + 1<<shift/2
}

// Bucket returns the one that counts so many microseconds.
func Bucket(us int64) int {
	us = min(max(us, 0), 1<<30-1)
	shift := max(bits.Len64(uint64(us))-precision-1, 0)
	return shift<<precision + int(us>>shift)
}
