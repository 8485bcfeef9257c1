package frame

import (
	"sync"
	"time"
)

// partSize is how much of Parts is in one piece.
const partSize = 64 << 10

// Parts are bytes that arrive piece by piece. They stay in pieces until all are
// there, so that each is copied once or twice, however many there are. The zero
// value is empty.
type Parts struct {
	full [][]byte // each partSize long
	last []byte   // what comes behind them
}

// Add copies the bytes that have arrived. It takes at most twice their memory,
// and from 64 KiB on at most 64 KiB beyond their size.
func (p *Parts) Add(b []byte) {
	for len(b) > 0 {
		if len(p.last) == partSize {
			p.full = append(p.full, p.last)
			p.last = piece(partSize, partSize)
		}
		n := min(len(b), partSize-len(p.last))
		if need := len(p.last) + n; need > cap(p.last) {
			p.last = append(piece(need, max(need, 2*cap(p.last))), p.last...)
		}
		p.last = append(p.last, b[:n]...)
		b = b[n:]
	}
}

// Len returns how many bytes have arrived.
func (p *Parts) Len() int { return len(p.full)*partSize + len(p.last) }

// Held returns how many bytes of memory they take.
func (p *Parts) Held() int { return len(p.full)*partSize + cap(p.last) }

// Join returns them in one slice, in other memory if they are in several
// pieces.
func (p *Parts) Join() []byte {
	if p.full == nil {
		return p.last
	}
	all := whole(p.Len())
	for i, b := range append(p.full, p.last) {
		all = append(all, b...)
		if cap(b) == partSize {
			pieces.Put((*[partSize]byte)(b[:partSize]))
		}
		if i%16 == 15 {
			pause()
		}
	}
	p.full, p.last = nil, all
	return all
}

// pause lets others have the processor. runtime.Gosched does only for those that wait for
// this one or for any: an event loop that the collector has just looked at waits for the
// one that marks, for up to 10 ms, unless another has nothing else to do and takes it.
func pause() { time.Sleep(time.Microsecond) }

// Release releases the memory returned by Join for reuse by other messages:
// none of it may be used any more. Without Release, messages of megabytes keep
// the garbage collector at work all the time, which stops event loops.
func (p *Parts) Release() {
	switch b := p.last; {
	case cap(b) == partSize:
		pieces.Put((*[partSize]byte)(b[:partSize]))
	case cap(b) > partSize:
		wholes.Put(&b)
	}
	p.last = nil
}

// wholes are slices that were released.
var wholes sync.Pool

// whole is an empty slice with room for so many bytes.
func whole(size int) []byte {
	if b, _ := wholes.Get().(*[]byte); b != nil && cap(*b) >= size {
		return (*b)[:0]
	}
	return make([]byte, 0, size) // not slices.Grow, which clears it in one stretch
}

// pieces are those that are of no more use. Pieces are taken by event loops: one that
// allocated them would have to help the collector, for tens of milliseconds where
// messages of megabytes come.
var pieces = sync.Pool{New: func() any { return new([partSize]byte) }}

// piece is room for want bytes, or for a whole piece if that is no more than twice
// what is needed.
func piece(need, want int) []byte {
	if 2*need < partSize {
		return make([]byte, 0, want)
	}
	return pieces.Get().(*[partSize]byte)[:0]
}
