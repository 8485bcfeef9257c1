package phx

import (
	"bytes"
	"slices"

	"github.com/roost-rt/roost/poller"
)

// maxPiece is how many bytes of a client's own messages are put into one piece.
const maxPiece = 64 << 10

// A pile holds packets for the client of a session, in pieces. A piece of a broadcast is
// the same bytes for all who get it. Each counts in the poller's backlog until it is
// dropped. The session's lock guards the pile.
type pile struct {
	pieces []poller.Debt // none ends within a message
	size   int           // of all in bytes
}

// add puts packets on the pile, or a copy of them unless they will never change (shared).
func (q *pile) add(p *poller.Poller, packets []byte, shared bool) {
	q.size += len(packets)
	if !shared && len(q.pieces) > 0 {
		if last := &q.pieces[len(q.pieces)-1]; !last.Shared() && len(last.Bytes())+len(packets) <= maxPiece {
			p.Owe(last, append(last.Bytes(), packets...), false)
			return
		}
	}
	if !shared {
		packets = bytes.Clone(packets)
	}
	q.pieces = append(q.pieces, poller.Debt{})
	p.Owe(&q.pieces[len(q.pieces)-1], packets, shared)
}

// take takes the first pieces off: as few as come to so many bytes, or all.
func (q *pile) take(least int) (taken pile) {
	n := 0
	for ; n < len(q.pieces) && taken.size < least; n++ {
		taken.size += len(q.pieces[n].Bytes())
	}
	taken.pieces, q.pieces = q.pieces[:n:n], q.pieces[n:]
	if q.size -= taken.size; q.size == 0 {
		q.pieces = nil
	}
	return taken
}

// putBack puts what was taken before the rest.
func (q *pile) putBack(taken pile) {
	q.pieces, q.size = append(taken.pieces, q.pieces...), q.size+taken.size
}

// drop drops all pieces.
func (q *pile) drop(p *poller.Poller) {
	for i := range q.pieces {
		p.Owe(&q.pieces[i], nil, false)
	}
	*q = pile{}
}

// appendTo appends the packets as elements of a JSON array: without the last comma.
func (q *pile) appendTo(b []byte) []byte {
	if q.size > 0 {
		b = slices.Grow(b, q.size+len(pollEnd))
	}
	for i := range q.pieces {
		b = append(b, q.pieces[i].Bytes()...)
	}
	return bytes.TrimSuffix(b, []byte(","))
}
