package vtcp_test

import (
	"bytes"
	"net/netip"
	"testing"
	"unsafe"

	"github.com/roost-rt/roost/loadtest/vtcp"
)

// TestRecord keeps the layout that the kernel's program knows.
func TestRecord(t *testing.T) {
	var r vtcp.Record
	for _, f := range []struct {
		name      string
		got, want uintptr
	}{
		{"size", unsafe.Sizeof(r), 24},
		{"SndNxt", unsafe.Offsetof(r.SndNxt), 0},
		{"RcvNxt", unsafe.Offsetof(r.RcvNxt), 4},
		{"Received", unsafe.Offsetof(r.Received), 8},
		{"Timer", unsafe.Offsetof(r.Timer), 12},
		{"Room", unsafe.Offsetof(r.Room), 16},
		{"State", unsafe.Offsetof(r.State), 18},
		{"Flags", unsafe.Offsetof(r.Flags), 19},
		{"Tries", unsafe.Offsetof(r.Tries), 20},
		{"Peer", unsafe.Offsetof(r.Peer), 22},
	} {
		if f.got != f.want {
			t.Errorf("%s is %d, want %d", f.name, f.got, f.want)
		}
	}
}

// TestSegment holds the bytes of a packet to those that another program worked out,
// and every changed bit to be found by a checksum.
func TestSegment(t *testing.T) {
	s := vtcp.Segment{
		From: netip.MustParseAddrPort("10.64.0.1:16384"), To: netip.MustParseAddrPort("10.0.0.1:4000"),
		Seq: 0x01020304, Ack: 0x05060708, Flags: vtcp.PSH | vtcp.ACK, Window: 65535, Data: []byte("odd"),
	}
	want := []byte{
		0x45, 0, 0, 43, 0, 0, 0x40, 0, 64, 6, 0x26, 0x8c, // version, length, don't fragment, TTL, TCP, checksum
		10, 64, 0, 1, 10, 0, 0, 1,
		0x40, 0, 0x0f, 0xa0, 1, 2, 3, 4, 5, 6, 7, 8, // ports, sequence number, acknowledgement
		0x50, 0x18, 0xff, 0xff, 0x68, 0x6f, 0, 0, // offset, flags, window, checksum, urgent pointer
		'o', 'd', 'd',
	}
	got := s.Bytes()
	if !bytes.Equal(got, want) {
		t.Fatalf("packet\n% x, want\n% x", got, want)
	}
	back, ok := vtcp.Parse(got)
	if !ok || back.Seq != s.Seq || back.Ack != s.Ack || back.From != s.From || back.To != s.To || string(back.Data) != "odd" {
		t.Errorf("read back: %+v, %v", back, ok)
	}
	for bit := range 8 * len(got) {
		broken := bytes.Clone(got)
		broken[bit/8] ^= 1 << (bit % 8)
		if s, ok := vtcp.Parse(broken); ok {
			t.Errorf("bit %d turned: read as %+v", bit, s)
		}
	}
}

// FuzzParse finds no packet that parse cannot bear, nor one that it reads beyond.
func FuzzParse(f *testing.F) {
	f.Add(vtcp.Segment{From: netip.MustParseAddrPort("10.64.0.1:16384"), To: netip.MustParseAddrPort("10.0.0.1:4000"), MSS: 1460, Stamped: true, Flags: vtcp.SYN}.Bytes())
	f.Fuzz(func(t *testing.T, packet []byte) {
		if s, ok := vtcp.Parse(packet); ok && len(s.Data) > len(packet)-40 {
			t.Errorf("%d bytes of data in a packet of %d", len(s.Data), len(packet))
		}
	})
}
