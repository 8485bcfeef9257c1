package frame

import (
	"encoding/binary"
	"math"
	"slices"

	"github.com/gobwas/ws"
)

// MaxHeader is the size in bytes of the longest header without a mask.
const MaxHeader = 10

// HeaderLen returns the size in bytes of the header, without a mask, of a frame
// with a payload of n bytes.
func HeaderLen(n int) int {
	switch {
	case n < 126:
		return 2
	case n <= math.MaxUint16:
		return 4
	}
	return MaxHeader
}

// PutHeader writes to dst the header of an unfragmented frame without a mask
// and with a payload of n bytes, and returns HeaderLen(n). It panics if dst is
// shorter. To encode a payload before its length is known, leave MaxHeader bytes
// of room and put the header at MaxHeader-HeaderLen(n).
func PutHeader(dst []byte, op ws.OpCode, n int) int {
	size := HeaderLen(n)
	dst = dst[:size]
	dst[0] = finBit | byte(op)
	switch size {
	case 2:
		dst[1] = byte(n)
	case 4:
		dst[1] = 126
		binary.BigEndian.PutUint16(dst[2:], uint16(n))
	default:
		dst[1] = 127
		binary.BigEndian.PutUint64(dst[2:], uint64(n))
	}
	return size
}

// Append appends an unfragmented frame to dst as a server sends it, without a
// mask. The payload of a control frame must fit 125 bytes (RFC 6455 §5.5).
func Append(dst []byte, op ws.OpCode, payload []byte) []byte {
	dst = appendHeader(dst, op, len(payload))
	return append(dst, payload...)
}

// AppendMasked is [Append] for a client, whose frames are masked. RFC 6455 §5.3
// requires mask to be new and unpredictable for each frame. The payload itself
// is not changed.
func AppendMasked(dst []byte, op ws.OpCode, mask [4]byte, payload []byte) []byte {
	start := len(dst)
	dst = slices.Grow(dst, HeaderLen(len(payload))+len(mask)+len(payload))
	dst = appendHeader(dst, op, len(payload))
	dst[start+1] |= maskBit
	dst = append(dst, mask[:]...)
	dst = append(dst, payload...)
	ws.Cipher(dst[len(dst)-len(payload):], mask, 0)
	return dst
}

// appendHeader appends the header for a payload of n bytes to dst, which gets
// room for the whole frame at once.
func appendHeader(dst []byte, op ws.OpCode, n int) []byte {
	dst = slices.Grow(dst, HeaderLen(n)+n)
	size := PutHeader(dst[len(dst):cap(dst)], op, n)
	return dst[:len(dst)+size]
}
