package token

import (
	"encoding/binary"
	"maps"
	"math"
	"math/bits"
	"slices"
	"strconv"
)

// encode encodes a term, equal terms to equal bytes.
func encode(term any) ([]byte, error) {
	e := encoder{out: []byte{version}}
	e.term(term, maxDepth)
	if len(e.out) > maxTerm && e.err == nil {
		e.err = termError("longer than %d bytes", maxTerm)
	}
	return e.out, e.err
}

// An encoder appends terms to out until one of them is an error.
type encoder struct {
	out []byte
	err error
}

// term appends a term with at most depth terms inside each other.
func (e *encoder) term(term any, depth int) {
	switch {
	case e.err != nil || len(e.out) > maxTerm:
		return // also what ends slices that hold themselves
	case depth == 0:
		e.err = termError("nested deeper than %d", maxDepth)
		return
	}
	switch term := term.(type) {
	case nil:
		e.atom("nil")
	case bool:
		e.atom(strconv.FormatBool(term))
	case Atom:
		e.atom(string(term))
	case int:
		e.integer(int64(term))
	case int64:
		e.integer(term)
	case float64:
		e.float(term)
	case string:
		e.head(binaryTag, len(term))
		e.out = append(e.out, term...)
	case []byte:
		e.term(string(term), depth)
	case Tuple:
		if len(term) > math.MaxUint8 {
			e.err = termError("tuple of %d", len(term))
			return
		}
		e.out = append(e.out, smallTuple, byte(len(term)))
		e.terms(term, depth-1)
	case []any:
		if len(term) > 0 {
			e.head(list, len(term))
			e.terms(term, depth-1)
		}
		e.out = append(e.out, emptyList)
	case map[string]any:
		e.head(mapTag, len(term))
		for _, key := range slices.Sorted(maps.Keys(term)) {
			e.term(key, depth-1)
			e.term(term[key], depth-1)
		}
	default:
		e.err = termError("%T", term)
	}
}

// head appends a tag and a number of four bytes.
func (e *encoder) head(tag byte, n int) {
	e.out = binary.BigEndian.AppendUint32(append(e.out, tag), uint32(n))
}

func (e *encoder) atom(name string) {
	if !validAtom(name) {
		e.err = termError("atom %.40q", name)
		return
	}
	e.out = append(append(e.out, smallAtomUTF8, byte(len(name))), name...)
}

func (e *encoder) integer(n int64) {
	switch {
	case n == int64(uint8(n)):
		e.out = append(e.out, smallInteger, byte(n))
		return
	case n == int64(int32(n)):
		e.head(integer, int(n))
		return
	}
	sign, magnitude := byte(0), uint64(n)
	if n < 0 {
		sign, magnitude = 1, -magnitude
	}
	e.out = append(e.out, smallBig, byte(bits.Len64(magnitude)+7)/8, sign)
	for ; magnitude > 0; magnitude >>= 8 {
		e.out = append(e.out, byte(magnitude))
	}
}

func (e *encoder) float(f float64) {
	if !validFloat(f) {
		e.err = termError("float %v", f)
		return
	}
	e.out = binary.BigEndian.AppendUint64(append(e.out, newFloat), math.Float64bits(f))
}

func (e *encoder) terms(terms []any, depth int) {
	for _, term := range terms {
		e.term(term, depth)
	}
}
