package msgpack

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/roost-rt/roost/server/wire"
)

// A writer appends one message. Its first error stays.
type writer struct {
	out *bytes.Buffer
	enc *msgpack.Encoder // into out
	err error
}

func newWriter(dst []byte) *writer {
	out := bytes.NewBuffer(dst)
	return &writer{out: out, enc: msgpack.NewEncoder(out)}
}

func (w *writer) note(err error) {
	if w.err == nil {
		w.err = err
	}
}

// end returns the results of an Append method. dst is the slice that newWriter got.
func (w *writer) end(dst []byte) (out []byte, binary bool, err error) {
	if w.err != nil {
		return dst, false, w.err
	}
	return w.out.Bytes(), true, nil
}

// head writes what comes before the payload.
func (w *writer) head(joinRef, ref wire.Ref, topic, event string) {
	w.note(w.enc.EncodeArrayLen(5))
	w.ref(joinRef)
	w.ref(ref)
	w.str(topic)
	w.str(event)
}

func (w *writer) ref(r wire.Ref) {
	if r == "" {
		w.note(w.enc.EncodeNil())
		return
	}
	w.json([]byte(r))
}

func (w *writer) payload(p wire.Payload) {
	switch {
	case p.Binary:
		w.note(w.enc.EncodeBytesLen(len(p.Data)))
		w.out.Write(p.Data)
	case len(p.Data) == 0:
		w.note(w.enc.EncodeMapLen(0))
	default:
		w.json(p.Data)
	}
}

func (w *writer) str(s string) {
	w.note(w.enc.EncodeString(strings.ToValidUTF8(s, "\uFFFD")))
}

// json writes a JSON text. MessagePack is the same tokens in the same order, but
// that sizes come first and nothing marks an end: there is no need to recurse or
// to keep a tree of a text that may have come from a hostile client.
func (w *writer) json(text []byte) {
	if !json.Valid(text) {
		w.note(errors.New("msgpack: payload or ref is not JSON"))
		return
	}
	sizes := sizes(text)
	for i, end := 0, 0; i < len(text); i = end {
		end = i + 1
		switch c := text[i]; c {
		case '[':
			w.note(w.enc.EncodeArrayLen(sizes[0]))
			sizes = sizes[1:]
		case '{':
			w.note(w.enc.EncodeMapLen(sizes[0]))
			sizes = sizes[1:]
		case '"':
			end = stringEnd(text, i)
			w.str(unquote(text[i:end]))
		case 'n':
			end = i + len("null")
			w.note(w.enc.EncodeNil())
		case 't':
			end = i + len("true")
			w.note(w.enc.EncodeBool(true))
		case 'f':
			end = i + len("false")
			w.note(w.enc.EncodeBool(false))
		case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
			end = len(text) - len(bytes.TrimLeft(text[i:], "+-.eE0123456789"))
			w.number(string(text[i:end]))
		}
	}
}

// number writes the shortest int if the text is one of 64 bits, otherwise a
// float. A number too large for that becomes an infinity, as in JavaScript.
func (w *writer) number(text string) {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		w.note(w.enc.EncodeInt(n))
		return
	}
	if n, err := strconv.ParseUint(text, 10, 64); err == nil {
		w.note(w.enc.EncodeUint(n))
		return
	}
	f, _ := strconv.ParseFloat(text, 64)
	w.note(w.enc.EncodeFloat64(f))
}

// sizes counts the elements of each array and object of a valid JSON text, in
// the order in which they begin.
func sizes(text []byte) []int {
	var sizes, open []int // open are the indexes of those that have not ended
	var last byte         // that is not white space
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch c {
		case '"':
			i = stringEnd(text, i) - 1
		case '[', '{':
			open = append(open, len(sizes))
			sizes = append(sizes, 0)
		case ',':
			sizes[open[len(open)-1]]++
		case ']', '}':
			if last != '[' && last != '{' { // else it is empty
				sizes[open[len(open)-1]]++
			}
			open = open[:len(open)-1]
		}
		if c > ' ' {
			last = c
		}
	}
	return sizes
}

// stringEnd is where the string that begins at i ends.
func stringEnd(text []byte, i int) int {
	for i++; text[i] != '"'; i++ {
		if text[i] == '\\' {
			i++
		}
	}
	return i + 1
}

// unquote returns the content of a valid JSON string. Half a surrogate pair
// becomes U+FFFD.
func unquote(token []byte) (s string) {
	if bytes.IndexByte(token, '\\') < 0 {
		return string(token[1 : len(token)-1])
	}
	_ = json.Unmarshal(token, &s) // valid
	return s
}
