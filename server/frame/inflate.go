package frame

import (
	"compress/flate"
	"io"
	"slices"
	"sync"
)

// inflateTail follows every compressed message: what the sender took off the
// end (RFC 7692 §7.2.2), then an empty final block, to make the end of the
// message the end of a DEFLATE stream.
const inflateTail = flushTail + "\x01\x00\x00\xff\xff"

// inflaters holds idle *inflater, 40 KB each. It is package-level because it is
// no state, only memory to use again: nothing of one message reaches the next,
// and in a Config it would forbid to copy one.
var inflaters = sync.Pool{New: func() any {
	return &inflater{flate: flate.NewReader(&source{})}
}}

type inflater struct {
	src   source
	flate io.ReadCloser // also a flate.Resetter
}

// inflate returns the message that payload compresses, in memory of its own. It
// fails with 1009 beyond limit bytes, with 1007 if payload is not DEFLATE.
func inflate(payload []byte, limit int64) ([]byte, *Error) {
	z := inflaters.Get().(*inflater)
	defer inflaters.Put(z)
	z.src = source{payload: payload, tail: inflateTail}
	defer func() { z.src = source{} }() // the pool must not hold the caller's memory

	// A final block ends a DEFLATE stream but not the message: another stream
	// may follow at the next byte (RFC 7692 §7.2.1). It starts with an empty
	// window, or two bytes of stream would make us copy one of 32 KiB.
	var out []byte
	for !z.src.empty() {
		if err := z.flate.(flate.Resetter).Reset(&z.src, nil); err != nil {
			return nil, errInflate()
		}
		for {
			out = slices.Grow(out, 512)
			n, err := z.flate.Read(out[len(out):cap(out)])
			out = out[:len(out)+n]
			if int64(len(out)) > limit {
				return nil, tooBig("message inflates too far")
			}
			if err == io.EOF {
				break
			}
			if err != nil {
				return nil, errInflate()
			}
		}
	}
	return out, nil
}

func errInflate() *Error { return invalidPayload("compressed message is corrupt") }

// A source is a payload and then a tail, without putting them into one slice.
// As an io.ByteReader it is not read past the end of a DEFLATE stream.
type source struct {
	payload []byte
	tail    string
}

func (s *source) empty() bool { return len(s.payload) == 0 && s.tail == "" }

func (s *source) Read(b []byte) (n int, err error) {
	if s.empty() {
		return 0, io.EOF
	}
	n = copy(b, s.payload)
	s.payload = s.payload[n:]
	m := copy(b[n:], s.tail)
	s.tail = s.tail[m:]
	return n + m, nil
}

func (s *source) ReadByte() (b byte, err error) {
	switch {
	case len(s.payload) > 0:
		b, s.payload = s.payload[0], s.payload[1:]
	case s.tail != "":
		b, s.tail = s.tail[0], s.tail[1:]
	default:
		err = io.EOF
	}
	return b, err
}
