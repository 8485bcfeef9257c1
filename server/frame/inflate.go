package frame

import (
	"cmp"
	"encoding/binary"
	"sync"
)

// inflateTail follows every compressed message: what the sender took off the
// end (RFC 7692 §7.2.2), then an empty final block, to make the end of the
// message the end of a DEFLATE stream.
const inflateTail = flushTail + "\x01\x00\x00\xff\xff"

// inflaters holds idle *inflater, 4 KB each. It is package-level because it is
// no state, only memory to use again: nothing of one message reaches the next,
// and in a Config it would forbid to copy one.
var inflaters = sync.Pool{New: func() any { return new(inflater) }}

// An inflater reads DEFLATE (RFC 1951). compress/flate does, too, but does not
// say how many blocks it has seen, and those cost without giving anything: 8 MB
// of empty ones hold it for seconds. Here a block costs a microsecond at most and
// is counted, and everything else is linear in what comes in and goes out.
//
// All input is there from the beginning and all output is kept, so there is no
// window, no state between two bytes, and no end of the input but an error.
type inflater struct {
	in     []byte
	tail   bool   // inflateTail comes after in
	bits   uint64 // taken from in, first one lowest
	n      uint   // how many
	out    []byte
	start  int // of the stream in out: nothing refers back beyond it
	limit  int64
	blocks int  // that may still come, beside those that out pays for
	seen   int  // blocks so far
	pauses bool // after each 128 blocks: not on an event loop

	lengths      [maxSymbols + 32]uint8 // of the codes that a block starts with
	literal, far huffman                // they
}

// bytesPerBlock is how much output pays for one more block. zlib's smallest
// blocks are of 127 symbols, each a byte at least.
const bytesPerBlock = 64

// inflate returns the message that payload compresses, in memory of its own. It
// fails with 1009 beyond limit bytes, with 1008 beyond blocks and one block for
// every 64 bytes of the message, with 1007 if payload is not DEFLATE.
func inflate(payload []byte, limit int64, blocks int) ([]byte, *Error) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.in, z.tail, z.bits, z.n = payload, true, 0, 0
	z.limit, z.blocks = limit, blocks+2 // two for the tail
	z.seen, z.pauses = 0, blocks > inlineBlocks
	z.out = make([]byte, 0, min(limit, int64(max(512, 2*len(payload)))))
	defer func() { z.in, z.out = nil, nil }() // the pool must not hold others' memory

	// A final block ends a DEFLATE stream but not the message: another stream
	// may follow at the next byte (RFC 7692 §7.2.1). It starts with an empty
	// window.
	for {
		z.start = len(z.out)
		if err := z.stream(); err != nil {
			return nil, err
		}
		z.take(z.n % 8)
		if len(z.in) == 0 && !z.tail && z.n == 0 {
			return z.out, nil
		}
	}
}

func errInflate() *Error { return invalidPayload("compressed message is corrupt") }

// stream reads blocks up to a final one.
func (z *inflater) stream() (err *Error) {
	for final := false; !final && err == nil; {
		if z.blocks+len(z.out)/bytesPerBlock <= 0 {
			return policyViolation("message has too many DEFLATE blocks")
		}
		z.blocks--
		if z.seen++; z.pauses && z.seen%128 == 0 { // some 0.2 ms
			pause()
		}
		if !z.fill(3) {
			return errInflate()
		}
		final = z.take(1) == 1
		switch kind := z.take(2); {
		case kind == 0:
			err = z.stored()
		case kind == 1:
			err = z.compressed(&fixedLiteral, &fixedFar)
		case kind == 2 && z.codes():
			err = z.compressed(&z.literal, &z.far)
		default:
			err = errInflate()
		}
	}
	return err
}

// fill gets bits until there are n, at most 48. It reports false if there are
// fewer.
func (z *inflater) fill(n uint) bool {
	for z.n < n {
		if len(z.in) >= 4 && z.n <= 16 {
			z.bits |= uint64(binary.LittleEndian.Uint32(z.in)) << z.n
			z.in = z.in[4:]
			z.n += 32
			continue
		}
		if !z.more() {
			return false
		}
		z.bits |= uint64(z.in[0]) << z.n
		z.in = z.in[1:]
		z.n += 8
	}
	return true
}

// more sees to it that there is another byte, or reports that there is none.
func (z *inflater) more() bool {
	if len(z.in) == 0 && z.tail {
		z.in, z.tail = []byte(inflateTail), false
	}
	return len(z.in) > 0
}

// take takes n bits that are there.
func (z *inflater) take(n uint) int {
	b := z.bits & (1<<n - 1)
	z.bits >>= n
	z.n -= n
	return int(b)
}

// extra adds n bits, which may not be there, to a base.
func (z *inflater) extra(base int, n uint) (value int, ok bool) {
	if !z.fill(n) {
		return 0, false
	}
	return base + z.take(n), true
}

// symbol reads a symbol. ok is false if there is none.
func (z *inflater) symbol(h *huffman) (symbol int, ok bool) {
	if z.n < maxCodeLen {
		z.fill(maxCodeLen) // at the end there are fewer, and may be enough
	}
	symbol, n := h.find(z.bits)
	if n == 0 || n > z.n {
		return 0, false
	}
	z.take(n)
	return symbol, true
}

// stored reads a block that is not compressed (RFC 1951 §3.2.4).
func (z *inflater) stored() *Error {
	z.take(z.n % 8)
	if !z.fill(32) {
		return errInflate()
	}
	left := z.take(16)
	if z.take(16) != left^0xffff {
		return errInflate()
	}
	for ; left > 0 && z.n > 0; left-- { // taken already
		z.out = append(z.out, byte(z.take(8)))
	}
	for left > 0 {
		if !z.more() {
			return cmp.Or(z.fits(), errInflate())
		}
		n := min(left, len(z.in))
		z.out = append(z.out, z.in[:n]...)
		z.in = z.in[n:]
		left -= n
	}
	return z.fits()
}

func (z *inflater) fits() *Error {
	if int64(len(z.out)) > z.limit {
		return tooBig("message inflates too far")
	}
	return nil
}

// codeOrder is the order of the lengths for the code in which the other codes' lengths
// are written.
var codeOrder = [19]uint8{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15}

// codes reads the codes of a block (RFC 1951 §3.2.7). It reports false if there
// is something wrong with them.
func (z *inflater) codes() bool {
	if !z.fill(14) {
		return false
	}
	literals, fars, n := z.take(5)+257, z.take(5)+1, z.take(4)+4
	if literals > 286 || fars > 30 {
		return false
	}
	var first [len(codeOrder)]uint8
	for _, symbol := range codeOrder[:n] {
		if !z.fill(3) {
			return false
		}
		first[symbol] = uint8(z.take(3))
	}
	lengths := z.lengths[:literals+fars]
	return z.literal.make(first[:]) && z.readLengths(lengths) &&
		z.literal.make(lengths[:literals]) && z.far.make(lengths[literals:])
}

// readLengths reads the lengths of a block's codes, in the code z.literal.
func (z *inflater) readLengths(lengths []uint8) bool {
	for i := 0; i < len(lengths); {
		symbol, ok := z.symbol(&z.literal)
		length, times := uint8(0), 1
		switch {
		case !ok, symbol == 16 && i == 0:
			return false
		case symbol < 16:
			length = uint8(symbol)
		case symbol == 16:
			length = lengths[i-1]
			times, ok = z.extra(3, 2)
		case symbol == 17:
			times, ok = z.extra(3, 3)
		default:
			times, ok = z.extra(11, 7)
		}
		if !ok || times > len(lengths)-i {
			return false
		}
		for range times {
			lengths[i] = length
			i++
		}
	}
	return true
}

// compressed reads the rest of a block (RFC 1951 §3.2.3).
func (z *inflater) compressed(literal, far *huffman) *Error {
	for {
		symbol, ok := z.symbol(literal)
		switch {
		case !ok:
			return errInflate()
		case symbol == 256:
			return nil
		case symbol < 256:
			z.out = append(z.out, byte(symbol))
		case !z.repeat(symbol, far):
			return errInflate()
		}
		if err := z.fits(); err != nil {
			return err
		}
	}
}

// repeat appends something of the stream again: as much as a length symbol says,
// from as far back as the symbol after it says (RFC 1951 §3.2.5).
func (z *inflater) repeat(symbol int, far *huffman) bool {
	length, ok := z.length(symbol)
	if !ok {
		return false
	}
	back, ok := z.distance(far)
	from := len(z.out) - back
	if !ok || from < z.start {
		return false
	}
	for length > 0 { // what is appended may be part of what is repeated
		n := min(length, len(z.out)-from)
		z.out = append(z.out, z.out[from:from+n]...)
		length -= n
	}
	return true
}

// length returns the length that a symbol from 257 on stands for.
func (z *inflater) length(symbol int) (n int, ok bool) {
	switch i := symbol - 257; {
	case i < 8:
		return i + 3, true
	case i < 28:
		bits := uint(i)/4 - 1
		return z.extra(3+(4+i%4)<<bits, bits)
	default:
		return 258, i == 28
	}
}

// distance takes one.
func (z *inflater) distance(far *huffman) (n int, ok bool) {
	switch symbol, ok := z.symbol(far); {
	case !ok, symbol >= 30:
		return 0, false
	case symbol < 4:
		return symbol + 1, true
	default:
		bits := uint(symbol)/2 - 1
		return z.extra(1+(2+symbol%2)<<bits, bits)
	}
}

// fixedLiteral and fixedFar are the codes of blocks that bring none (RFC 1951
// §3.2.6).
var fixedLiteral, fixedFar = fixedCodes()

func fixedCodes() (literal, far huffman) {
	var lengths [maxSymbols]uint8
	for i := range lengths {
		switch {
		case i < 144:
			lengths[i] = 8
		case i < 256:
			lengths[i] = 9
		case i < 280:
			lengths[i] = 7
		default:
			lengths[i] = 8
		}
	}
	literal.make(lengths[:])
	for i := range 32 {
		lengths[i] = 5
	}
	far.make(lengths[:32])
	return literal, far
}
