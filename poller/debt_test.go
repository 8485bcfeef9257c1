package poller_test

import (
	"slices"
	"testing"

	"github.com/roost-rt/roost/poller"
)

// What is owed elsewhere counts in the backlog as what waits in queues does: shared
// bytes once.
func TestDebts(t *testing.T) {
	p := start(t, poller.Config{Loops: 1, OutboundHigh: 1 << 20, BacklogMax: 1 << 20, OutboundMax: 2 << 20})
	frame := make([]byte, 300_000)
	var a, b, c poller.Debt
	for _, step := range []struct {
		what   string
		d      *poller.Debt
		bytes  []byte
		shared bool
		want   int64
	}{
		{"shared", &a, frame, true, 300_000},
		{"again", &a, frame, true, 300_000},
		{"by two", &b, frame, true, 300_000},
		{"own beside", &c, slices.Clone(frame[:1000]), false, 301_000},
		{"the same, as own", &b, frame, false, 601_000},
		{"by two again", &b, frame, true, 301_000},
		{"no more", &a, nil, false, 301_000},
		{"the last", &b, nil, false, 1000},
		{"none", &b, nil, true, 1000},
		{"more of its own", &c, make([]byte, 2<<20), false, 2 << 20},
		{"nothing", &c, []byte{}, true, 0},
	} {
		p.Owe(step.d, step.bytes, step.shared)
		if got, _ := p.Backlog(); got != step.want {
			t.Fatalf("%s: the backlog is %d bytes, want %d", step.what, got, step.want)
		}
	}
	if !p.MayOwe(2<<20) || p.MayOwe(2<<20+1) || p.High() != 1<<20 {
		t.Error("while there is room, a peer may be owed OutboundMax, and High is OutboundHigh")
	}
	p.Owe(&c, make([]byte, 1<<20+1), false)
	if !p.MayOwe(64<<10) || p.MayOwe(64<<10+1) || p.High() != 64<<10 {
		t.Error("while there is none, a peer may be owed 64 KiB")
	}
	p.Owe(&c, nil, false)
}
