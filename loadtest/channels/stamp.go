package channels

import (
	"bytes"
	"strconv"
)

// mark is what a stamp begins with. Letters, digits and dashes go through
// escaping, cleaning of HTML and the like as they are.
const mark = "stamp-"

// A Stamp names a message of a load test inside of its payload, so that it is known
// when it comes back, in whatever field and whatever else the application puts
// around it.
type Stamp struct {
	Writer         uint32
	Seq            int32 // of the writer's messages, from 1 on
	Intended, Sent int64 // monotonic nanoseconds
}

// Append appends the text of the stamp, such as stamp-7-3-1000-1001-. It needs no
// escaping in JSON.
func (s Stamp) Append(dst []byte) []byte {
	dst = append(strconv.AppendUint(append(dst, mark...), uint64(s.Writer), 10), '-')
	dst = append(strconv.AppendInt(dst, int64(s.Seq), 10), '-')
	dst = append(strconv.AppendInt(dst, s.Intended, 10), '-')
	return append(strconv.AppendInt(dst, s.Sent, 10), '-')
}

// FindStamp finds the first stamp in text, wherever it is.
func FindStamp(text []byte) (s Stamp, ok bool) {
	for {
		_, rest, found := bytes.Cut(text, []byte(mark))
		if !found {
			return s, false
		}
		if s, ok = parseStamp(rest); ok {
			return s, true
		}
		text = rest
	}
}

func parseStamp(text []byte) (s Stamp, ok bool) {
	var numbers [4]int64
	for i := range numbers {
		digits := 0
		for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
			numbers[i] = numbers[i]*10 + int64(text[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 19 || digits == len(text) || text[digits] != '-' {
			return s, false
		}
		text = text[digits+1:]
	}
	return Stamp{uint32(numbers[0]), int32(numbers[1]), numbers[2], numbers[3]}, true
}
