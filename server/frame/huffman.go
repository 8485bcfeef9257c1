package frame

import "math/bits"

const (
	maxCodeLen = 15  // bits (RFC 1951 §3.2.7)
	maxSymbols = 288 // of a code
	fastBits   = 9
)

// A huffman is one of the codes of a DEFLATE block. It is made anew for each, so
// it is small: the codes of up to nine bits are looked up, the few longer ones
// are counted through.
type huffman struct {
	fast    [1 << fastBits]uint16  // by the next bits: symbol<<4 | length; 0 if it is longer
	count   [maxCodeLen + 1]uint16 // of codes, by length
	symbols [maxSymbols]uint16     // in the order of their codes
}

// make makes the code from the code length of each symbol (RFC 1951 §3.2.2). It
// reports false if they make no code. One symbol may be alone with one bit, and a code
// may be empty as long as nothing is read with it, as in zlib.
func (h *huffman) make(lengths []uint8) bool {
	h.fast, h.count = [1 << fastBits]uint16{}, [maxCodeLen + 1]uint16{}
	for _, n := range lengths {
		h.count[n]++
	}
	used := len(lengths) - int(h.count[0])
	h.count[0] = 0
	var code, place [maxCodeLen + 2]uint16 // of the next symbol of a length
	left := 1                              // codes of this length that are not given away
	for n := 1; n <= maxCodeLen; n++ {
		if left = 2*left - int(h.count[n]); left < 0 {
			return false
		}
		code[n+1] = (code[n] + h.count[n]) << 1
		place[n+1] = place[n] + h.count[n]
	}
	if left > 0 && used > 0 && (used > 1 || h.count[1] == 0) {
		return false
	}
	for symbol, n := range lengths {
		if n == 0 {
			continue
		}
		h.symbols[place[n]] = uint16(symbol)
		place[n]++
		reversed := bits.Reverse16(code[n]) >> (16 - n) // codes come with their first bit lowest
		code[n]++
		for i := int(reversed); n <= fastBits && i < len(h.fast); i += 1 << n {
			h.fast[i] = uint16(symbol)<<4 | uint16(n)
		}
	}
	return true
}

// find returns the symbol whose code b starts with, and the length of that code, zero
// if there is none.
func (h *huffman) find(b uint64) (symbol int, length uint) {
	if e := h.fast[b&(1<<fastBits-1)]; e != 0 {
		return int(e >> 4), uint(e & 15)
	}
	code, first, place := 0, 0, 0
	for n := 1; n <= maxCodeLen; n++ {
		code |= int(b & 1)
		b >>= 1
		count := int(h.count[n])
		if code < first+count {
			return int(h.symbols[place+code-first]), uint(n)
		}
		place += count
		first = (first + count) << 1
		code <<= 1
	}
	return 0, 0
}
