package vtcp

import (
	"encoding/binary"
	"math/bits"
)

// Lengths of headers without options, in bytes.
const (
	ipHeader  = 20 // RFC 791 §3.1
	tcpHeader = 20 // RFC 9293 §3.1
)

const protocolTCP = 6

// Control bits, RFC 9293 §3.1.
const (
	fin = 1 << iota
	syn
	rst
	psh
	ack
)

// Kinds of options, RFC 9293 §3.2 and RFC 7323 §3.2.
const (
	optionEnd       = 0
	optionNop       = 1
	optionMSS       = 2
	optionTimestamp = 8
)

// An endpoint is an IPv4 address and a port.
type endpoint struct {
	addr uint32
	port uint16
}

// A segment holds the parts of an IPv4 packet that the stack looks at.
type segment struct {
	from, to endpoint
	seq, ack uint32
	flags    uint8
	window   uint32
	mss      int    // 0 without the option
	stamp    uint32 // TSval
	stamped  bool
	data     []byte
}

// length returns how many sequence numbers the segment takes.
func (s *segment) length() uint32 {
	n := uint32(len(s.data))
	if s.flags&syn != 0 {
		n++
	}
	if s.flags&fin != 0 {
		n++
	}
	return n
}

// parse reads a packet. vouched says that its TCP checksum need not be looked at.
func parse(packet []byte, vouched bool) (s segment, ok bool) {
	be := binary.BigEndian
	if len(packet) < ipHeader+tcpHeader || packet[0]>>4 != 4 {
		return s, false
	}
	head, total := int(packet[0]&15)*4, int(be.Uint16(packet[2:]))
	fragment := be.Uint16(packet[6:])&^0x4000 != 0 // all but "don't fragment"
	if head < ipHeader || total < head+tcpHeader || total > len(packet) || packet[9] != protocolTCP || fragment {
		return s, false
	}
	if !vouched && fold(sum(0, packet[:head])) != 0xffff {
		return s, false
	}
	s.from.addr, s.to.addr = be.Uint32(packet[12:]), be.Uint32(packet[16:])
	t := packet[head:total]
	offset := int(t[12]>>4) * 4
	if offset < tcpHeader || offset > len(t) {
		return s, false
	}
	if !vouched && fold(sum(pseudo(s.from.addr, s.to.addr, len(t)), t)) != 0xffff {
		return s, false
	}
	s.from.port, s.to.port = be.Uint16(t), be.Uint16(t[2:])
	s.seq, s.ack = be.Uint32(t[4:]), be.Uint32(t[8:])
	s.flags, s.window = t[13], uint32(be.Uint16(t[14:]))
	s.data = t[offset:]
	return s, s.options(t[tcpHeader:offset])
}

// options reads those that matter here, and reports false if they are cut off.
func (s *segment) options(b []byte) bool {
	for len(b) > 0 && b[0] != optionEnd {
		if b[0] == optionNop {
			b = b[1:]
			continue
		}
		if len(b) < 2 || b[1] < 2 || int(b[1]) > len(b) {
			return false
		}
		switch o := b[:b[1]]; {
		case o[0] == optionMSS && len(o) == 4:
			s.mss = int(binary.BigEndian.Uint16(o[2:]))
		case o[0] == optionTimestamp && len(o) == 10:
			s.stamp, s.stamped = binary.BigEndian.Uint32(o[2:]), true
		}
		b = b[b[1]:]
	}
	return true
}

// build writes a packet into b, which has room for it, and returns it. With partial the
// TCP checksum covers the pseudo header alone: the receiver of the packet adds the rest,
// or vouches for it.
func build(b []byte, s *segment, options []byte, partial bool) []byte {
	be := binary.BigEndian
	length := tcpHeader + len(options) + len(s.data)
	b = b[:ipHeader+length]
	be.PutUint32(b, 0x45000000|uint32(len(b)))
	be.PutUint32(b[4:], 0x4000)                 // no id; don't fragment
	be.PutUint32(b[8:], 64<<24|protocolTCP<<16) // TTL
	be.PutUint32(b[12:], s.from.addr)
	be.PutUint32(b[16:], s.to.addr)
	be.PutUint16(b[10:], ^fold(sum(0, b[:ipHeader])))
	t := b[ipHeader:]
	be.PutUint16(t, s.from.port)
	be.PutUint16(t[2:], s.to.port)
	be.PutUint32(t[4:], s.seq)
	be.PutUint32(t[8:], s.ack)
	be.PutUint32(t[12:], uint32(tcpHeader+len(options))<<26|uint32(s.flags)<<16|s.window)
	be.PutUint32(t[16:], 0) // checksum, urgent pointer
	copy(t[tcpHeader:], options)
	copy(t[tcpHeader+len(options):], s.data)
	check := pseudo(s.from.addr, s.to.addr, len(t))
	if partial {
		be.PutUint16(t[16:], fold(check))
	} else {
		be.PutUint16(t[16:], ^fold(sum(check, t)))
	}
	return b
}

// pseudo is the sum of the pseudo header, RFC 9293 §3.1.
func pseudo(from, to uint32, length int) uint64 {
	return uint64(from) + uint64(to) + protocolTCP + uint64(length)
}

// sum adds b to a sum whose ones' complement is the checksum of RFC 1071. It adds
// eight bytes at a time: what is carried out of 16 bits comes back in fold.
func sum(to uint64, b []byte) uint64 {
	var carry uint64
	for ; len(b) >= 8; b = b[8:] {
		to, carry = bits.Add64(to, binary.BigEndian.Uint64(b), carry)
	}
	var last [8]byte
	copy(last[:], b)
	to, carry = bits.Add64(to, binary.BigEndian.Uint64(last[:]), carry)
	return to + carry // it cannot carry again: the last bytes are not all ones
}

// fold brings a sum down to 16 bits.
func fold(s uint64) uint16 {
	s = s>>32 + s&0xffffffff
	s = s>>32 + s&0xffffffff
	s = s>>16 + s&0xffff
	s = s>>16 + s&0xffff
	return uint16(s)
}
