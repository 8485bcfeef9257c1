package frame_test

import (
	"bytes"
	"cmp"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"unicode/utf8"

	"github.com/roost-rt/roost/server/frame"
)

// A reference is a second decoder, for FuzzDecode to compare with: it reads the
// RFCs literally, has all input at once, and copies whatever it likes.
type reference struct {
	cfg        *frame.Config
	maxFrame   int64
	maxMessage int64

	op         byte // of the message that is arriving, 0 outside one
	compressed bool
	message    []byte

	log []string // as decode writes it, errors without their reason
}

func refDecode(cfg *frame.Config, data []byte) []string {
	r := reference{
		cfg:        cfg,
		maxFrame:   cmp.Or(cfg.MaxFrame, 10_000_000),
		maxMessage: cmp.Or(cfg.MaxMessage, 8_000_000),
	}
	for {
		size, code := r.frame(data)
		if code != 0 {
			r.log = append(r.log, fmt.Sprintf("close %d", code))
		}
		if code != 0 || size == 0 {
			return r.log
		}
		data = data[size:]
	}
}

// frame reads one frame. It returns its size, zero if it is the last or only a
// part of one, or the code to fail with.
func (r *reference) frame(b []byte) (size, code int) {
	h := refParse(b)
	if h.size == 0 {
		return 0, 0
	}
	if code := r.check(h); code != 0 {
		return 0, code
	}
	whole := uint64(len(b)-h.size) >= h.length
	payload := bytes.Clone(b[h.size:])
	if whole {
		payload = payload[:h.length]
	}
	for i := range payload {
		if h.masked {
			payload[i] ^= b[h.size-4+i%4] // §5.3
		}
	}
	if h.opening() {
		r.op, r.compressed = h.op, h.rsv != 0
	}
	last := false
	switch {
	case !h.control():
		code = r.data(payload, h.fin && whole)
	case whole:
		last, code = r.control(h.op, payload)
	}
	if code != 0 || last || !whole {
		return 0, code
	}
	return h.size + int(h.length), 0
}

// A refHeader is what RFC 6455 §5.2 draws.
type refHeader struct {
	fin, masked, minimal bool
	rsv, op              byte
	length               uint64
	size                 int // of the header, zero if it is cut
}

func (h refHeader) control() bool { return h.op >= 8 }
func (h refHeader) opening() bool { return h.op == 1 || h.op == 2 }

func refParse(b []byte) refHeader {
	if len(b) < 2 {
		return refHeader{}
	}
	h := refHeader{
		fin: b[0]>>7 == 1, rsv: b[0] >> 4 & 7, op: b[0] & 15,
		masked: b[1]>>7 == 1, length: uint64(b[1] & 0x7f), minimal: true, size: 2,
	}
	short := h.length
	switch short {
	case 126:
		h.size = 4
	case 127:
		h.size = 10
	}
	if h.masked {
		h.size += 4
	}
	if len(b) < h.size {
		return refHeader{}
	}
	switch short {
	case 126:
		h.length = uint64(binary.BigEndian.Uint16(b[2:]))
		h.minimal = h.length > 125
	case 127:
		h.length = binary.BigEndian.Uint64(b[2:])
		h.minimal = h.length > math.MaxUint16
	}
	return h
}

// check returns the code that h fails with, or zero.
func (r *reference) check(h refHeader) int {
	deflated := r.cfg.Deflate && h.rsv == 4 && h.opening()
	switch {
	case h.masked == r.cfg.Client, // §5.1
		!h.minimal, // §5.2
		h.length > math.MaxInt64,
		h.op > 2 && h.op < 8,
		h.op > 10,
		h.op == 0 && r.op == 0, // §5.4
		h.opening() && r.op != 0,
		h.control() && !h.fin, // §5.5
		h.control() && h.length > 125,
		h.rsv != 0 && !deflated: // RFC 7692 §6
		return 1002
	case int64(h.length) > r.maxFrame-int64(h.size):
		return 1009
	case h.control(), r.cfg.MaxMessage == 0 && h.fin && h.opening() && !deflated:
		return 0
	case int64(h.length) > r.maxMessage-int64(len(r.message)):
		return 1009
	}
	return 0
}

// data adds to the message, and ends it if end.
func (r *reference) data(payload []byte, end bool) (code int) {
	r.message = append(r.message, payload...)
	checked := r.op == 1 && !r.cfg.SkipUTF8
	if checked && !r.compressed && !startsText(r.message) {
		return 1007 // as soon as it shows, §8.1
	}
	if !end {
		return 0
	}
	message := r.message
	if r.compressed {
		if message, code = r.inflate(message); code != 0 {
			return code
		}
	}
	if checked && !utf8.Valid(message) {
		return 1007
	}
	r.log = append(r.log, fmt.Sprintf("%s %q", [...]string{1: "text", 2: "binary"}[r.op], message))
	r.op, r.message = 0, nil
	return 0
}

// control is last if no frame may follow.
func (r *reference) control(op byte, payload []byte) (last bool, code int) {
	if op == 8 && len(payload) > 0 { // §5.5.1, §7.4
		if len(payload) == 1 {
			return false, 1002
		}
		switch c := binary.BigEndian.Uint16(payload); {
		case c < 1000, c > 4999, c > 1014 && c < 3000, c >= 1004 && c <= 1006:
			return false, 1002
		case !utf8.Valid(payload[2:]):
			return false, 1007
		}
	}
	r.log = append(r.log, fmt.Sprintf("%s %q", [...]string{8: "Close", 9: "ping", 10: "pong"}[op], payload))
	return op == 8, 0
}

// inflate reads one DEFLATE stream after the other (RFC 7692 §7.2.2).
func (r *reference) inflate(message []byte) (out []byte, code int) {
	ratio := min(cmp.Or(r.cfg.MaxInflateRatio, 100), 1032)
	limit := min(r.maxMessage, int64(64<<10+len(message)*ratio))
	streams := bytes.NewReader(append(message, "\x00\x00\xff\xff\x01\x00\x00\xff\xff"...))
	for streams.Len() > 0 {
		more, err := io.ReadAll(io.LimitReader(flate.NewReader(streams), limit+1-int64(len(out))))
		out = append(out, more...)
		switch {
		case int64(len(out)) > limit:
			return nil, 1009
		case err != nil:
			return nil, 1007
		}
	}
	return out, 0
}

// startsText reports whether something can follow b that makes it UTF-8.
func startsText(b []byte) bool {
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size == 1 {
			return !utf8.FullRune(b)
		}
		b = b[size:]
	}
	return true
}
