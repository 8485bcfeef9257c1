package frame

import "unicode/utf8"

// A textChecker checks UTF-8 that comes in pieces cut anywhere (RFC 6455 §8.1).
type textChecker struct {
	tail [utf8.UTFMax]byte // start of a character that the last piece cut
	n    int8              // its bytes
}

// write reports whether the text, with b, is still the start of valid UTF-8.
func (c *textChecker) write(b []byte) bool {
	for ; c.n > 0 && len(b) > 0; b = b[1:] {
		c.tail[c.n] = b[0]
		c.n++
		if !utf8.FullRune(c.tail[:c.n]) {
			continue
		}
		if !utf8.Valid(c.tail[:c.n]) {
			return false
		}
		c.n = 0
	}
	if len(b) == 0 {
		return true
	}
	cut := lastCut(b)
	c.n = int8(copy(c.tail[:], b[cut:]))
	return utf8.Valid(b[:cut])
}

// complete reports whether the text may end here.
func (c *textChecker) complete() bool { return c.n == 0 }

// lastCut returns the start of the character that the end of b cuts, len(b) if it cuts
// none. Bytes that nothing can make valid are never held back.
func lastCut(b []byte) int {
	for i := len(b) - 1; i >= 0 && i > len(b)-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				return i
			}
			break
		}
	}
	return len(b)
}

func errNotUTF8() *Error { return invalidPayload("text is not UTF-8") }
