package cluster

import (
	"math"
	"testing"
	"time"
)

// Whatever comes, in whatever order, and in whoever's name: what is held is counted, is
// within its bound, and waits for its turn.
func FuzzPeers(f *testing.F) {
	f.Add([]byte{0, 1, 0, 1, 0, 1, 0, 3, 6, 1, 0, 9, 0, 1, 0, 2})
	f.Add([]byte{9, 0, 0, 0, 10, 0, 0, 0, 0, 1, 0, 4, 11, 0, 0, 200, 6, 1, 2, 3, 12, 0, 0, 255, 0, 1, 0, 0x84})
	f.Add([]byte{3, 1, 0, 5, 2, 2, 0, 9, 4, 1, 1, 1, 0, 1, 0, 2, 5, 1, 0, 0x81, 7, 1, 0, 0, 8, 1, 0, 3})
	f.Fuzz(func(t *testing.T, b []byte) {
		p := &peers{
			beat: 5 * time.Second, maxWait: 30 * time.Second, maxBytes: 2000, window: time.Minute, most: maxPeers,
			byID: make(map[uint64]*peer), ears: make(map[uint16]ear), open: make(map[place]struct{}),
		}
		now := time.Unix(1e9, 0)
		bucket := bucketOf("room:1")
		p.listen(map[uint16]time.Time{bucket: {}})
		p.listening([]uint16{bucket}, now)
		for ; len(b) >= 4; b = b[4:] {
			e := envelope{id: uint64(b[1] % 3), node: "n", topic: "room:1", number: someNumber(b[3]), payload: make([]byte, b[2]%8)}
			switch op := b[0] % 14; op {
			case 0:
				e.kind = broadcast
			case 1, 2, 3, 4, 5:
				e.kind = []kind{join, beat, answer, leave, found}[op-1]
				e.payload = appendRow(nil, row{bucket, someNumber(b[2]), time.Duration(b[2]) * time.Second})
			case 6, 7:
				e.kind = have
				v := verdict{question{id: e.id, bucket: bucket, until: someNumber(b[2])}, e.number, someNumber(b[2] ^ b[3]), someNumber(b[3] + 1)}
				if r := p.byID[e.id]; op == 6 && r != nil && r.sequences[bucket] != nil {
					v.from = r.sequences[bucket].next // to the question that was asked
				}
				e.payload = nil
				v.put(&e)
			case 8:
				e.kind = pulse
				e.payload = appendRow([]byte{b[1] % 4}, row{bucket, someNumber(b[2]), 0})
			case 9:
				p.listen(map[uint16]time.Time{bucket: now})
			case 10:
				p.listening([]uint16{bucket}, now)
			case 11:
				now = now.Add(time.Duration(b[3]) * 100 * time.Millisecond)
				p.sweep(now)
			case 12:
				for _, at := range p.troubled() {
					if n := p.chase(at, now); n.lost > maxNumber {
						t.Fatalf("%d are lost", n.lost)
					}
				}
			case 13:
				p.ignore([]uint16{bucket})
			}
			if e.kind != 0 {
				if e, err := decode(e.encode()); err == nil {
					if h := p.hear(&e, now); h.lost > maxNumber || h.due && len(h.ready) > 0 && h.ready[0].number <= e.number {
						t.Fatalf("number %d is due: %t; then %d, and %d are lost", e.number, h.due, h.ready[0].number, h.lost)
					}
				}
			}
			checkHeld(t, p)
		}
	})
}

// someNumber is a small number, or one at the end of what there is.
func someNumber(b byte) uint64 {
	switch n := uint64(b & 0x1f); b >> 5 {
	case 4:
		return 1<<60 + n
	case 5:
		return maxNumber - n
	case 6:
		return math.MaxInt64 - n
	case 7:
		return math.MaxUint64 - n
	default:
		return n
	}
}

func checkHeld(t *testing.T, p *peers) {
	t.Helper()
	all := 0
	for id, r := range p.byID {
		for b, s := range r.sequences {
			size, last := 0, uint64(0)
			if s.repair == nil {
				if s.open() {
					t.Fatalf("node %d: all is well from %d to %d", id, s.next, s.end)
				}
				continue
			}
			for i := range s.held {
				e := &s.held[i]
				if size += e.size(); e.number <= last || e.number < s.next {
					t.Fatalf("node %d holds %d after %d, and %d is next", id, e.number, last, s.next)
				}
				last = e.number
			}
			if _, known := p.open[place{id, b}]; size != s.bytes || s.open() && !known {
				t.Fatalf("node %d: %d bytes are held, %d counted; open %t, known %t", id, size, s.bytes, s.open(), known)
			}
			all += size
		}
	}
	if all != p.bytes || all > p.maxBytes {
		t.Fatalf("%d bytes are held, %d counted, %d may be", all, p.bytes, p.maxBytes)
	}
}

// A broadcast that is held, and whose turn comes because a table says so, comes once,
// although it is sent again.
func TestHeldAndSentAgain(t *testing.T) {
	now := time.Now()
	var s sequence
	s.beginRepair()
	s.sought = sought{now, doubt}
	e := envelope{kind: broadcast, number: 16}
	s.take(&e, 1000, now)
	s.learn(&row{number: 16, age: time.Hour}, true, now)
	if !s.take(&e, 1000, now) {
		t.Error("its turn has not come")
	}
	if ready, lost := s.skip(s.next); len(ready) > 0 || lost > 0 || s.bytes > 0 {
		t.Errorf("%d come again, %d are lost, %d bytes are held", len(ready), lost, s.bytes)
	}
}
