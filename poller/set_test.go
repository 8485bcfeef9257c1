package poller

import (
	"testing"
	"unsafe"
)

// Memory of a connection is paid for by a million of them: 64 is a size class of
// the allocator's.
func TestConnSize(t *testing.T) {
	if n := unsafe.Sizeof(Conn{}); n > 64 {
		t.Errorf("a Conn has %d bytes, want at most 64", n)
	}
}

// A pass may have events for a connection that ends in it. They must not come to
// one that begins in it.
func TestSetReusesSlots(t *testing.T) {
	s := &set{conns: make([]*Conn, 1)}
	var first, other, later, last Conn
	s.add(&first)
	s.add(&other)
	slot := first.slot
	s.remove(&first)
	s.remove(&first) // no harm
	if s.add(&later); later.slot == slot || s.conns[slot] != nil {
		t.Errorf("slot %d was used again in the same pass", slot)
	}
	s.passed()
	if s.add(&last); last.slot != slot || s.conns[slot] != &last || len(s.conns) != 4 {
		t.Errorf("slot %d of %d after the pass, want %d again", last.slot, len(s.conns), slot)
	}
}
