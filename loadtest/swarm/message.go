package swarm

import (
	"bytes"
	"strconv"
)

// Frames are scanned here and not decoded with package wire: a mistake in wire
// would be made on both sides and go unseen. What is looked for is what our
// own payload holds, so finding a key is enough.

// appendPayload appends the payload of message seq of a writer, of size bytes:
// the JSON object, without the array around it and the WebSocket header.
// intended and sent are monotonic nanoseconds.
func appendPayload(dst []byte, writer uint32, seq int, intended, sent int64, size int) []byte {
	end := len(dst) + size - len(`"}`)
	dst = strconv.AppendUint(append(dst, `{"w":`...), uint64(writer), 10)
	dst = strconv.AppendInt(append(dst, `,"s":`...), int64(seq), 10)
	dst = strconv.AppendInt(append(dst, `,"t":`...), intended, 10)
	dst = strconv.AppendInt(append(dst, `,"a":`...), sent, 10)
	dst = append(dst, `,"body":"`...)
	for len(dst) < end {
		dst = append(dst, 'x')
	}
	return append(dst, `"}`...)
}

// A stamp is what a payload says of its message.
type stamp struct {
	writer         uint32
	seq            int32
	intended, sent int64
}

// A sighting is the last broadcast that a process has seen. All its clients get
// the same bytes, so one of them has to read them, and the others to compare.
type sighting struct {
	text  []byte
	stamp stamp
}

func (s *sighting) keep(text []byte, st stamp) { s.text, s.stamp = append(s.text[:0], text...), st }

// parseStamp finds the stamp in a payload. The keys may be in any order: a
// server may decode and encode again.
func parseStamp(payload []byte) (s stamp, ok bool) {
	writer, ok1 := number(payload, `"w":`)
	seq, ok2 := number(payload, `"s":`)
	intended, ok3 := number(payload, `"t":`)
	sent, ok4 := number(payload, `"a":`)
	return stamp{uint32(writer), int32(seq), intended, sent}, ok1 && ok2 && ok3 && ok4
}

// number reads the digits after key.
func number(b []byte, key string) (n int64, ok bool) {
	i := bytes.Index(b, []byte(key))
	if i < 0 {
		return 0, false
	}
	for _, c := range b[i+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		n, ok = n*10+int64(c-'0'), true
	}
	return n, ok
}
