package http1

import "encoding/binary"

// Classes of characters.
const (
	tokenChar  = 1 << iota // RFC 9110 §5.6.2
	valueChar              // RFC 9110 §5.5: tabs, too, and bytes beyond ASCII, which mean nothing here
	targetChar             // what is visible but #, which begins no part of a target, and bytes beyond ASCII
	hostChar               // unreserved, of RFC 3986 §2.3
	digitChar
)

var chars = func() (classes [256]uint8) {
	for c := range 256 {
		digit, letter := isDigit(byte(c)), 'a' <= c|0x20 && c|0x20 <= 'z'
		visible := 0x21 <= c && c != 0x7f
		for _, class := range []struct {
			bit uint8
			in  bool
		}{
			{tokenChar, digit || letter || in(c, "!#$%&'*+-.^_`|~")},
			{valueChar, visible || c == ' ' || c == '\t'},
			{targetChar, visible && c != '#'},
			{hostChar, digit || letter || in(c, "-._~")},
			{digitChar, digit},
		} {
			if class.in {
				classes[c] |= class.bit
			}
		}
	}
	return classes
}()

func in(c int, set string) bool {
	for i := range len(set) {
		if int(set[i]) == c {
			return true
		}
	}
	return false
}

// all reports whether s has characters of one class, and at least one.
func all(s []byte, class uint8) bool {
	every := class
	for _, c := range s {
		every &= chars[c]
	}
	return every != 0 && len(s) > 0
}

// allValue is all for values, which are most of a head: it looks at eight bytes at
// a time. An empty one is good.
func allValue(s []byte) bool {
	const ones, high = 0x0101010101010101, 0x8080808080808080
	for ; len(s) >= 8; s = s[8:] {
		word := binary.LittleEndian.Uint64(s)
		del := word ^ 0x7f*ones
		control := (word - 0x20*ones) & ^word                                  // high bits where a byte is below 0x20, or where one before is
		if (control | (del-ones) & ^del)&high != 0 && !all(s[:8], valueChar) { // perhaps a tab
			return false
		}
	}
	return len(s) == 0 || all(s, valueChar)
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

// Is compares s, in any case, with a text in lower case. Both must be ASCII to
// be equal.
func Is(s []byte, lower string) bool {
	if len(s) != len(lower) {
		return false
	}
	for i, c := range s {
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

// trim cuts off what may be around a value (RFC 9110 §5.6.3).
func trim(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	for n := len(s); n > 0 && (s[n-1] == ' ' || s[n-1] == '\t'); n-- {
		s = s[:n-1]
	}
	return s
}
