package vtcp

import "net/netip"

// Control bits, for segments that tests write.
const (
	FIN, SYN, RST, PSH, ACK = fin, syn, rst, psh, ack

	Stalled = stalled
	Stamped = stamped
)

// A Segment is one that a test reads or writes.
type Segment struct {
	From, To netip.AddrPort
	Seq, Ack uint32
	Flags    uint8
	Window   uint16
	MSS      int
	Stamp    uint32 // TSval
	Stamped  bool
	Data     []byte
}

// Bytes is the packet of a segment.
func (s Segment) Bytes() []byte {
	out := segment{
		from: endpoint{address(s.From.Addr()), s.From.Port()}, to: endpoint{address(s.To.Addr()), s.To.Port()},
		seq: s.Seq, ack: s.Ack, flags: s.Flags, window: uint32(s.Window), data: s.Data,
	}
	var options []byte
	if s.MSS > 0 {
		options = append(options, optionMSS, 4, byte(s.MSS>>8), byte(s.MSS))
	}
	if s.Stamped {
		options = append(options, optionNop, optionNop, optionTimestamp, 10, byte(s.Stamp>>24), byte(s.Stamp>>16), byte(s.Stamp>>8), byte(s.Stamp), 0, 0, 0, 0)
	}
	return build(make([]byte, 100+len(s.Data)), &out, options, false)
}

// Parse reads a packet as the stack does, checksums too.
func Parse(packet []byte) (Segment, bool) {
	in, ok := parse(packet, false)
	addr := func(e endpoint) netip.AddrPort {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{byte(e.addr >> 24), byte(e.addr >> 16), byte(e.addr >> 8), byte(e.addr)}), e.port)
	}
	return Segment{addr(in.from), addr(in.to), in.seq, in.ack, in.flags, uint16(in.window), in.mss, in.stamp, in.stamped, in.data}, ok
}
