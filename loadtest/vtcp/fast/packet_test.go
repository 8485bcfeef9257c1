package fast_test

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// A packet is one TCP segment of a server to a client.
type packet struct {
	client   int
	seq, ack uint32
	flags    uint16 // with the reserved bits
	options  []byte
	payload  []byte
}

const psh, ack = 0x08, 0x10

var server = netip.MustParseAddrPort("10.0.0.1:4000")

// endpoint is where a client is.
func endpoint(client int) netip.AddrPort {
	addr := binary.BigEndian.AppendUint32(nil, 10<<24+64<<16+1+uint32(client>>15))
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte(addr)), uint16(16384+client&32767))
}

// stamps is the timestamps option as kernels write it (RFC 7323, appendix A).
func stamps(value, echo uint32) []byte {
	b := []byte{1, 1, 8, 10}
	b = binary.BigEndian.AppendUint32(b, value)
	return binary.BigEndian.AppendUint32(b, echo)
}

func (p packet) bytes() []byte {
	return segment(server, endpoint(p.client), p.seq, p.ack, p.flags, 501, p.options, p.payload)
}

// answer is the ACK that a client sends.
func answer(client int, seq, acknowledged uint32, options []byte) []byte {
	return segment(endpoint(client), server, seq, acknowledged, ack, 65535, options, nil)
}

// segment writes a packet out. It shares no code with what it tests.
func segment(from, to netip.AddrPort, seq, acknowledged uint32, flags, window uint16, options, payload []byte) []byte {
	length := 20 + len(options) + len(payload)
	b := []byte{0x45, 0}
	b = binary.BigEndian.AppendUint16(b, uint16(20+length))
	b = append(b, 0, 0, 0x40, 0, 64, 6, 0, 0)
	b = append(b, from.Addr().AsSlice()...)
	b = append(b, to.Addr().AsSlice()...)
	binary.BigEndian.PutUint16(b[10:], checksum(b))
	t := binary.BigEndian.AppendUint16(nil, from.Port())
	t = binary.BigEndian.AppendUint16(t, to.Port())
	t = binary.BigEndian.AppendUint32(t, seq)
	t = binary.BigEndian.AppendUint32(t, acknowledged)
	t = binary.BigEndian.AppendUint16(t, uint16(20+len(options))/4<<12|flags)
	t = binary.BigEndian.AppendUint16(t, window)
	t = append(t, 0, 0, 0, 0)
	t = append(append(t, options...), payload...)
	pseudo := append(b[12:20:20], 0, 6, byte(length>>8), byte(length))
	binary.BigEndian.PutUint16(t[16:], checksum(append(pseudo, t...)))
	return append(b, t...)
}

// checksum is that of RFC 1071.
func checksum(b []byte) uint16 {
	var sum uint32
	for i, v := range b {
		sum += uint32(v) << (8 * (1 - i%2))
		sum = sum&0xffff + sum>>16
	}
	return ^uint16(sum)
}

// text is a server's text frame around a broadcast with this number, so many bytes long.
func text(number uint32, size int) []byte {
	payload := size - 4
	b := []byte{0x81, 126, byte(payload >> 8), byte(payload)}
	b = fmt.Appendf(b, `[null,null,"room:lobby","new_msg",{"k":%d,"body":"`, number)
	for len(b) < size-3 {
		b = append(b, 'a'+byte(len(b)%26))
	}
	return append(b, `"}]`...)
}
