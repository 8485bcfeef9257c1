package frame

import (
	"runtime"
	"sync"
)

// partSize is how much of Parts is in one piece.
const partSize = 64 << 10

// Parts are bytes that come bit by bit. Until they are all there they stay in pieces,
// so that each is copied once or twice, however many there are. The zero value has
// none.
type Parts struct {
	full [][]byte // each partSize long
	last []byte   // what comes behind them
}

// Add copies what has come: it takes never more than twice the memory of that, and
// from 64 KiB on never more than 64 KiB beyond it.
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

// Len is how many bytes have come.
func (p *Parts) Len() int { return len(p.full)*partSize + len(p.last) }

// Held is how many bytes of memory they take.
func (p *Parts) Held() int { return len(p.full)*partSize + cap(p.last) }

// Join puts them together, in new memory if they are in several pieces.
func (p *Parts) Join() []byte {
	if p.full == nil {
		return p.last
	}
	all := make([]byte, 0, p.Len()) // not slices.Grow, which clears it in one stretch
	for _, b := range append(p.full, p.last) {
		all = append(all, b...)
		if cap(b) == partSize {
			pieces.Put((*[partSize]byte)(b[:partSize]))
		}
		// Without it the copies of megabytes, into memory that the kernel has yet to
		// find, are next to one long stretch in which no goroutine can be preempted:
		// a collection would not begin meanwhile, nor who allocates during it go on.
		runtime.Gosched()
	}
	p.full, p.last = nil, all
	return all
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
