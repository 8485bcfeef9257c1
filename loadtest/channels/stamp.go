package channels

import (
	"bytes"
	"math"
	"strconv"
)

// Every stamp begins with mark. Letters, digits and dashes go through
// escaping, cleaning of HTML and the like as they are.
const mark = "stamp-"

// A Stamp names a message of a load test inside of its payload, so that it is known
// when it comes back, in whatever field and whatever else the application puts
// around it.
type Stamp struct {
	Writer         uint32
	Seq            int32 // of the writer's messages, from 1 on
	After          int32 // the one that must come before it; 0 if any may
	Intended, Sent int64 // monotonic nanoseconds
}

// Append appends the text of the stamp, such as stamp-7-3-1000-1001-, or
// stamp-7-3a2-1000-1001- where 3 is After 2. It needs no escaping in JSON.
func (s Stamp) Append(dst []byte) []byte {
	dst = append(strconv.AppendUint(append(dst, mark...), uint64(s.Writer), 10), '-')
	dst = strconv.AppendInt(dst, int64(s.Seq), 10)
	if s.After != 0 {
		dst = strconv.AppendInt(append(dst, 'a'), int64(s.After), 10)
	}
	dst = append(dst, '-')
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
	var numbers [5]int64
	most := [5]int64{math.MaxUint32, math.MaxInt32, math.MaxInt64, math.MaxInt64, math.MaxInt32}
	for _, i := range []int{0, 1, 4, 2, 3} {
		if i == 4 { // it may be left out
			was := text[0]
			if text = text[1:]; was == '-' {
				continue
			}
		}
		digits := 0
		for digits < len(text) && text[digits] >= '0' && text[digits] <= '9' {
			numbers[i] = numbers[i]*10 + int64(text[digits]-'0')
			digits++
		}
		if digits == 0 || digits > 19 || digits == len(text) || numbers[i] < 0 || numbers[i] > most[i] { // below 0 is beyond an int64
			return s, false
		}
		text = text[digits:]
		if end := text[0]; end != '-' && (i != 1 || end != 'a') {
			return s, false
		}
		if i != 1 {
			text = text[1:]
		}
	}
	return Stamp{uint32(numbers[0]), int32(numbers[1]), int32(numbers[4]), numbers[2], numbers[3]}, true
}
