package token

import (
	"fmt"
	"unicode/utf8"
)

// An Atom is an Erlang atom other than nil, true and false: UTF-8 of at most
// 255 bytes.
type Atom string

// A Tuple is an Erlang tuple of at most 255 terms.
type Tuple []any

// Limits of a term. Its authenticity was checked before, so they guard against mistakes
// and against peers that share the secret.
const (
	maxTerm  = 64 << 10 // bytes
	maxDepth = 64       // terms inside each other
	maxAtom  = 255      // bytes
)

// Tags of the external term format (Erlang/OTP, ERTS User's Guide).
const (
	version       = 131
	newFloat      = 70
	smallInteger  = 97
	integer       = 98
	latin1Atom    = 100 // sent up to OTP 25
	smallTuple    = 104
	emptyList     = 106
	byteList      = 107 // STRING_EXT: a list of small integers, packed
	list          = 108
	binaryTag     = 109
	smallBig      = 110
	mapTag        = 116
	smallAtomUTF8 = 119 // sent from OTP 26 on
)

func termError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrTerm, fmt.Sprintf(format, args...))
}

func validAtom(name string) bool { return len(name) <= maxAtom && utf8.ValidString(name) }

// validFloat leaves out the infinities and NaN, which Erlang does not have.
func validFloat(f float64) bool { return f-f == 0 }
