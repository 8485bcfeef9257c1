package frame

import "slices"

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
			p.last = make([]byte, 0, partSize)
		}
		n := min(len(b), partSize-len(p.last))
		if need := len(p.last) + n; need > cap(p.last) {
			p.last = append(make([]byte, 0, min(max(need, 2*cap(p.last)), partSize)), p.last...)
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
	return slices.Concat(append(p.full, p.last)...)
}
