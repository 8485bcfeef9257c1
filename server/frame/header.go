package frame

import (
	"encoding/binary"
	"math"

	"github.com/gobwas/ws"
)

// Bits of the first two bytes of a frame (RFC 6455 §5.2).
const (
	finBit  = 0x80
	rsv1Bit = 0x40
	maskBit = 0x80
)

// parseHeader reads the header that b starts with and its size in bytes, zero
// if b is too short. It checks how the length is written, nothing else.
func parseHeader(b []byte) (h ws.Header, size int, err *Error) {
	if len(b) < 2 {
		return h, 0, nil
	}
	h = ws.Header{
		Fin:    b[0]&finBit != 0,
		Rsv:    b[0] >> 4 & 7,
		OpCode: ws.OpCode(b[0] & 0x0f),
		Masked: b[1]&maskBit != 0,
	}
	length, least := uint64(b[1]&0x7f), uint64(0)
	size = 2
	switch length {
	case 126:
		size = 4
	case 127:
		size = 10
	}
	if h.Masked {
		size += 4
	}
	if len(b) < size {
		return h, 0, nil
	}
	switch length {
	case 126:
		length, least = uint64(binary.BigEndian.Uint16(b[2:])), 126
	case 127:
		length, least = binary.BigEndian.Uint64(b[2:]), math.MaxUint16+1
	}
	switch {
	case length < least:
		return h, 0, protocolError("payload length is not minimal")
	case length > math.MaxInt64:
		return h, 0, protocolError("payload length has its top bit set")
	}
	h.Length = int64(length)
	if h.Masked {
		h.Mask = [4]byte(b[size-4:])
	}
	return h, size, nil
}

// bytesPerFragment is how much of a message pays for one more of its frames. A
// client's frame has 6 bytes besides its payload: no honest client sends smaller ones
// for long.
const bytesPerFragment = 16

// compressed reports whether h opens a compressed message: RSV1, and no other
// bit, on the first frame of a data message (RFC 7692 §6).
func (c *Config) compressed(h ws.Header) bool {
	return c.Deflate && h.Rsv == rsv1Bit>>4 && (h.OpCode == ws.OpText || h.OpCode == ws.OpBinary)
}

// unfragmented reports whether h is not part of a fragmented message: it is all
// of a message, or a control frame.
func unfragmented(h ws.Header) bool {
	return h.Fin && h.OpCode != ws.OpContinuation
}

// checkHeader applies what depends on the negotiation, the limits and, by p,
// the message that h arrives in, of whose frames it keeps count.
func checkHeader(cfg *Config, p *partial, h ws.Header, size int) *Error {
	state := ws.StateServerSide
	if cfg.Client {
		state = ws.StateClientSide
	}
	var received int64
	if p.inMessage() {
		state = state.Set(ws.StateFragmented)
		received = int64(p.message.size())
		p.frames++
		if p.frames >= cfg.maxFragments()+p.message.size()/bytesPerFragment {
			return policyViolation("message in too many frames")
		}
	}
	compressed := cfg.compressed(h)
	if compressed {
		// Not StateExtended: that would let any other bit on any frame pass.
		h.Rsv = 0
	}
	if err := ws.CheckHeader(h, state); err != nil {
		return protocolError(err.Error())
	}
	if h.Length > cfg.maxFrame()-int64(size) {
		return tooBig("frame too large")
	}
	if h.OpCode.IsControl() {
		return nil
	}
	limited := cfg.MaxMessage != 0 || compressed || !unfragmented(h)
	if limited && h.Length > cfg.maxMessage()-received {
		return tooBig("message too large")
	}
	return nil
}
