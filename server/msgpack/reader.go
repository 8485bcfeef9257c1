package msgpack

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"strconv"
	"unicode/utf8"

	"github.com/vmihailenco/msgpack/v5"
	"github.com/vmihailenco/msgpack/v5/msgpcode"
)

// maxDepth bounds the nesting of a payload, and with it the stack that a hostile
// client can make us use. Version 2 allows the same.
const maxDepth = 1000

// A reader walks over one message and writes what it finds as JSON, at most six
// times as long. The library reads the numbers and the sizes; it is not trusted
// with anything larger, for which it may allocate whatever a size claims.
type reader struct {
	data  []byte
	rest  *bytes.Reader // what is left of data
	dec   *msgpack.Decoder
	depth int // arrays and maps open
}

func newReader(data []byte) *reader {
	rest := bytes.NewReader(data)
	return &reader{data: data, rest: rest, dec: msgpack.NewDecoder(rest)}
}

func (r *reader) pos() int { return len(r.data) - r.rest.Len() }

// value appends the next value to dst.
func (r *reader) value(dst []byte) ([]byte, error) {
	if dst, ok := r.byteLong(dst); ok {
		return dst, nil
	}
	code, err := r.dec.PeekCode()
	switch {
	case err != nil:
		return nil, err
	case code == msgpcode.Uint64: // the only one with numbers that no int64 holds
		n, err := r.dec.DecodeUint64()
		return strconv.AppendUint(dst, n, 10), err
	case isInt(code):
		n, err := r.dec.DecodeInt64()
		return strconv.AppendInt(dst, n, 10), err
	case code == msgpcode.Float || code == msgpcode.Double:
		return r.float(dst)
	case msgpcode.IsString(code):
		text, err := r.str()
		return appendString(dst, text), err
	case msgpcode.IsBin(code):
		data, err := r.bytes()
		return append(base64.StdEncoding.AppendEncode(append(dst, '"'), data), '"'), err
	case msgpcode.IsExt(code):
		return r.timestamp(dst)
	case msgpcode.IsFixedArray(code) || code == msgpcode.Array16 || code == msgpcode.Array32:
		return r.array(dst)
	case msgpcode.IsFixedMap(code) || code == msgpcode.Map16 || code == msgpcode.Map32:
		return r.object(dst)
	}
	return nil, fmt.Errorf("no type is %#x", code)
}

// byteLong appends the next value if it is one byte long. A message may be full of them,
// and the library takes several times as long for one.
func (r *reader) byteLong(dst []byte) (out []byte, ok bool) {
	if r.rest.Len() == 0 {
		return dst, false
	}
	switch code := r.data[r.pos()]; {
	case msgpcode.IsFixedNum(code):
		dst = strconv.AppendInt(dst, int64(int8(code)), 10)
	case code == msgpcode.Nil:
		dst = append(dst, "null"...)
	case code == msgpcode.False || code == msgpcode.True:
		dst = strconv.AppendBool(dst, code == msgpcode.True)
	case code == msgpcode.FixedStrLow:
		dst = append(dst, `""`...)
	case code == msgpcode.FixedArrayLow && r.depth < maxDepth:
		dst = append(dst, "[]"...)
	case code == msgpcode.FixedMapLow && r.depth < maxDepth:
		dst = append(dst, "{}"...)
	default:
		return dst, false
	}
	_, _ = r.rest.ReadByte() // there is one
	return dst, true
}

func isInt(code byte) bool {
	return msgpcode.IsFixedNum(code) || msgpcode.Uint8 <= code && code <= msgpcode.Int64
}

func (r *reader) array(dst []byte) ([]byte, error) {
	n, err := r.open(r.dec.DecodeArrayLen())
	if err != nil {
		return nil, err
	}
	dst = append(dst, '[')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		if dst, err = r.value(dst); err != nil {
			return nil, err
		}
	}
	r.depth--
	return append(dst, ']'), nil
}

func (r *reader) object(dst []byte) ([]byte, error) {
	n, err := r.open(r.dec.DecodeMapLen())
	if err != nil {
		return nil, err
	}
	dst = append(dst, '{')
	for i := range n {
		if i > 0 {
			dst = append(dst, ',')
		}
		key, err := r.str()
		if err != nil {
			return nil, fmt.Errorf("key: %w", err)
		}
		dst = append(appendString(dst, key), ':')
		if dst, err = r.value(dst); err != nil {
			return nil, err
		}
	}
	r.depth--
	return append(dst, '}'), nil
}

// open goes into an array or map of n elements.
func (r *reader) open(n int, err error) (int, error) {
	r.depth++
	if err == nil && r.depth > maxDepth {
		err = fmt.Errorf("nested deeper than %d", maxDepth)
	}
	return r.size(n, err)
}

// size returns the size that a header claims, unless the n elements or bytes
// cannot all be there.
func (r *reader) size(n int, err error) (int, error) {
	if err == nil && (n < 0 || n > r.rest.Len()) { // negative: too large for an int of 32 bits
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// float appends a float as JavaScript would.
func (r *reader) float(dst []byte) ([]byte, error) {
	f, err := r.dec.DecodeFloat64()
	if err != nil {
		return nil, err
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...), nil
	}
	text, err := json.Marshal(f)
	return append(dst, text...), err
}

// timestamp appends a timestamp as a string; there is no other ext.
func (r *reader) timestamp(dst []byte) ([]byte, error) {
	start := *r.rest // DecodeTime wants the header too, but would take other types
	id, size, err := r.dec.DecodeExtHeader()
	if err != nil {
		return nil, err
	}
	if id != -1 || size > 12 {
		return nil, fmt.Errorf("ext type %d of %d bytes is no timestamp", id, size)
	}
	*r.rest = start
	t, err := r.dec.DecodeTime()
	if err != nil {
		return nil, err
	}
	dst, err = t.UTC().AppendText(append(dst, '"')) // fails outside of the years 0 to 9999
	return append(dst, '"'), err
}

// str reads a str, with what is not UTF-8 replaced. The result aliases the input.
func (r *reader) str() ([]byte, error) {
	code, err := r.dec.PeekCode()
	if err != nil {
		return nil, err
	}
	if !msgpcode.IsString(code) {
		return nil, fmt.Errorf("type %#x, want str", code)
	}
	text, err := r.bytes()
	if !utf8.Valid(text) { // as official clients send half a surrogate pair
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	return text, err
}

// bytes reads a str or bin. The result aliases the input.
func (r *reader) bytes() ([]byte, error) {
	n, err := r.size(r.dec.DecodeBytesLen())
	if err != nil {
		return nil, err
	}
	start := r.pos()
	_, err = r.rest.Seek(int64(n), io.SeekCurrent)
	return r.data[start : start+n : start+n], err
}

const hex = "0123456789abcdef"

// appendString appends valid UTF-8 as a JSON string.
func appendString(dst, text []byte) []byte {
	dst = append(dst, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < ' ':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			dst = append(dst, c)
		}
	}
	return append(dst, '"')
}
