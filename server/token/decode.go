package token

import (
	"encoding/binary"
	"math"
)

// decode decodes the one term that is all of data, and keeps nothing of data.
func decode(data []byte) (any, error) {
	if len(data) > maxTerm {
		return nil, termError("longer than %d bytes", maxTerm)
	}
	d := decoder{rest: data}
	if d.uint(1) != version {
		return nil, termError("not of version %d", version)
	}
	term := d.term(maxDepth)
	if len(d.rest) > 0 {
		d.fail("%d bytes too many", len(d.rest))
	}
	if d.err != nil {
		return nil, d.err
	}
	return term, nil
}

// A decoder takes terms from the front of rest. After an error nothing is left,
// and all that is taken is zero. No count is trusted with memory: what it
// counts must be there first.
type decoder struct {
	rest []byte
	err  error // the first
}

func (d *decoder) fail(format string, args ...any) any {
	if d.err == nil {
		d.err = termError(format, args...)
	}
	d.rest = nil
	return nil
}

// term takes a term with at most depth terms inside each other.
func (d *decoder) term(depth int) any {
	if depth == 0 {
		return d.fail("nested deeper than %d", maxDepth)
	}
	switch tag := d.uint(1); tag {
	case smallInteger:
		return int64(d.uint(1))
	case integer:
		return int64(int32(d.uint(4)))
	case smallBig:
		return d.big()
	case newFloat:
		return d.float()
	case binaryTag:
		return string(d.take(d.uint(4)))
	case latin1Atom:
		return d.atom(latin1(d.take(d.uint(2))))
	case smallAtomUTF8:
		return d.atom(string(d.take(d.uint(1))))
	case smallTuple:
		return Tuple(d.terms(d.uint(1), depth-1))
	case emptyList:
		return []any{}
	case byteList:
		return d.bytes()
	case list:
		terms := d.terms(d.uint(4), depth-1)
		if d.uint(1) != emptyList {
			return d.fail("improper list")
		}
		return terms
	case mapTag:
		return d.dict(d.uint(4), depth-1)
	default:
		return d.fail("tag %d", tag)
	}
}

// take takes n bytes of data, not a copy.
func (d *decoder) take(n uint32) []byte {
	if uint64(n) > uint64(len(d.rest)) {
		d.fail("cut short")
		return nil
	}
	taken := d.rest[:n]
	d.rest = d.rest[n:]
	return taken
}

// uint takes a big-endian number of up to four bytes.
func (d *decoder) uint(width uint32) (n uint32) {
	for _, digit := range d.take(width) {
		n = n<<8 | uint32(digit)
	}
	return n
}

// big takes an integer: how many bytes, the sign, and the bytes, lowest first.
func (d *decoder) big() any {
	n, sign := d.uint(1), d.uint(1)
	magnitude := uint64(0)
	for i, digit := range d.take(n) {
		if i >= 8 {
			return d.fail("integer of %d bytes", n)
		}
		magnitude |= uint64(digit) << (8 * i)
	}
	switch {
	case sign == 0 && magnitude <= math.MaxInt64:
		return int64(magnitude)
	case sign == 1 && magnitude <= -math.MinInt64:
		return int64(-magnitude)
	}
	return d.fail("integer of more than 64 bits")
}

func (d *decoder) float() any {
	digits := d.take(8)
	if digits == nil {
		return nil
	}
	f := math.Float64frombits(binary.BigEndian.Uint64(digits))
	if !validFloat(f) {
		return d.fail("float %v", f)
	}
	return f
}

func (d *decoder) atom(name string) any {
	switch {
	case !validAtom(name):
		return d.fail("atom %.40q", name)
	case name == "nil":
		return nil
	case name == "true", name == "false":
		return name == "true"
	}
	return Atom(name)
}

func latin1(text []byte) string {
	runes := make([]rune, len(text))
	for i, char := range text {
		runes[i] = rune(char)
	}
	return string(runes)
}

func (d *decoder) bytes() any {
	packed := d.take(d.uint(2))
	terms := make([]any, len(packed))
	for i, b := range packed {
		terms[i] = int64(b)
	}
	return terms
}

func (d *decoder) terms(n uint32, depth int) []any {
	terms := []any{}
	for ; n > 0 && d.err == nil; n-- {
		terms = append(terms, d.term(depth))
	}
	return terms
}

func (d *decoder) dict(n uint32, depth int) any {
	m := map[string]any{}
	for ; n > 0 && d.err == nil; n-- {
		key := d.term(depth)
		if atom, ok := key.(Atom); ok {
			key = string(atom)
		}
		name, ok := key.(string)
		if _, twice := m[name]; twice || !ok {
			return d.fail("map key that is a %T or not the only one", key)
		}
		m[name] = d.term(depth)
	}
	return m
}
