package swarm

import (
	"testing"
	"unsafe"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// A client of a room with one writer is 36 bytes of slabs, and its network adds what
// it keeps of each: 8 for a socket, whose connection is the poller's; 24 for a TCP in
// user space, and 4 for its timestamps.
func TestSizes(t *testing.T) {
	g := joinedGroup(t, 2)
	got := int(unsafe.Sizeof(g.clients[0])) + len(g.tops)/2*int(unsafe.Sizeof(g.tops[0]))
	if got != 36 {
		t.Errorf("a client and its ledger are %d bytes, want 36", got)
	}
	if got := int(unsafe.Sizeof(vtcp.Record{})); got != 24 {
		t.Errorf("its TCP is %d bytes, want 24", got)
	}
}
