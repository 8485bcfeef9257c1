package wire

import "encoding/binary"

// maxDepth bounds the nesting of arrays and objects in one part of a message,
// and with it the stack that a hostile client can make us use.
const maxDepth = 1000

// A scanner walks over one JSON text (RFC 8259), checking its grammar. It finds
// where values begin and end, and decodes nothing. Its methods skip leading
// white space; those that return false leave it where the text went wrong.
//
// Checking while splitting takes one pass; json.Valid alone, which would still
// leave the splitting to do, takes more than five times as long.
type scanner struct {
	text  []byte
	pos   int
	depth int // arrays and objects open at pos
}

// peek returns the next byte that is not white space, or 0, which no token
// begins with, at the end.
func (s *scanner) peek() byte {
	for ; s.pos < len(s.text); s.pos++ {
		if c := s.text[s.pos]; !isSpace(c) {
			return c
		}
	}
	return 0
}

// take consumes c if it comes next.
func (s *scanner) take(c byte) bool {
	if s.peek() != c {
		return false
	}
	s.pos++
	return true
}

// atEnd reports whether only white space is left.
func (s *scanner) atEnd() bool {
	s.peek()
	return s.pos == len(s.text)
}

// token consumes one value of any kind and returns its text. A string keeps its
// quotes; nothing is copied.
func (s *scanner) token() ([]byte, bool) {
	s.peek()
	start := s.pos
	ok := s.value()
	return s.text[start:s.pos:s.pos], ok
}

// key consumes the name of an object's member and the colon, and returns the
// name as a string token.
func (s *scanner) key() ([]byte, bool) {
	if s.peek() != '"' {
		return nil, false
	}
	name, ok := s.token()
	return name, ok && s.take(':')
}

func (s *scanner) value() bool {
	switch s.peek() {
	case '"':
		return s.string()
	case '{':
		return s.object()
	case '[':
		return s.array()
	case 't':
		return s.literal("true")
	case 'f':
		return s.literal("false")
	case 'n':
		return s.literal("null")
	default:
		return s.number()
	}
}

func (s *scanner) object() bool {
	if !s.open() {
		return false
	}
	for first := true; !s.take('}'); first = false {
		if !first && !s.take(',') {
			return false
		}
		if _, ok := s.key(); !ok || !s.value() {
			return false
		}
	}
	s.depth--
	return true
}

func (s *scanner) array() bool {
	if !s.open() {
		return false
	}
	for first := true; !s.take(']'); first = false {
		if !first && !s.take(',') {
			return false
		}
		if !s.value() {
			return false
		}
	}
	s.depth--
	return true
}

// open consumes the bracket that begins an array or object.
func (s *scanner) open() bool {
	s.pos++
	s.depth++
	return s.depth <= maxDepth
}

// string consumes a string; the opening quote is known to be there. That the
// text is valid UTF-8 is not its business.
func (s *scanner) string() bool {
	for i := s.plain(s.pos + 1); i < len(s.text); i++ {
		switch c := s.text[i]; {
		case c > '\\': // most letters: one comparison
		case c == '"':
			s.pos = i + 1
			return true
		case c == '\\':
			s.pos = i
			if !s.escape() {
				return false
			}
			i = s.plain(s.pos+1) - 1
		case c < ' ':
			s.pos = i
			return false
		}
	}
	s.pos = len(s.text)
	return false
}

// plain skips, eight at a time, bytes that mean nothing in a string. It stops
// before the eight in which one may.
func (s *scanner) plain(i int) int {
	for i+8 <= len(s.text) && !marked(binary.LittleEndian.Uint64(s.text[i:])) {
		i += 8
	}
	return i
}

// marked reports whether one of eight bytes is a quote, a backslash or below a
// space. All are compared at once; see "Bit Twiddling Hacks" by S. E. Anderson,
// "Determine if a word has a byte less than n".
func marked(x uint64) bool {
	const each, top = 0x0101010101010101, 0x8080808080808080
	quote, backslash := x^each*'"', x^each*'\\'
	return ((x-each*' ')&^x|(quote-each)&^quote|(backslash-each)&^backslash)&top != 0
}

// escape moves from a backslash to the last byte of its escape sequence.
func (s *scanner) escape() bool {
	s.pos++
	if s.pos == len(s.text) {
		return false
	}
	switch s.text[s.pos] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return true
	case 'u':
		for range 4 {
			s.pos++
			if s.pos == len(s.text) || !isHex(s.text[s.pos]) {
				return false
			}
		}
		return true
	}
	return false
}

// number consumes -?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?
func (s *scanner) number() bool {
	s.skip('-', '-')
	if !s.skip('0', '0') && !s.digits() {
		return false
	}
	if s.skip('.', '.') && !s.digits() {
		return false
	}
	if s.skip('e', 'E') {
		s.skip('+', '-')
		return s.digits()
	}
	return true
}

// skip consumes the very next byte if it is a or b.
func (s *scanner) skip(a, b byte) bool {
	if s.pos == len(s.text) || s.text[s.pos] != a && s.text[s.pos] != b {
		return false
	}
	s.pos++
	return true
}

// digits consumes one digit or more.
func (s *scanner) digits() bool {
	start := s.pos
	for s.pos < len(s.text) && '0' <= s.text[s.pos] && s.text[s.pos] <= '9' {
		s.pos++
	}
	return s.pos > start
}

func (s *scanner) literal(name string) bool {
	if len(s.text)-s.pos < len(name) || string(s.text[s.pos:s.pos+len(name)]) != name {
		return false
	}
	s.pos += len(name)
	return true
}

func isSpace(c byte) bool {
	return c == ' ' || c == '\n' || c == '\t' || c == '\r'
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}
