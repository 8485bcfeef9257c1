package http1

import (
	"bytes"
	"strconv"
)

// maxLine is the longest line of a chunk in bytes, not counting its data.
const maxLine = 4 << 10

var (
	errChunk    = bad("malformed chunk")
	errLongLine = bad("a line of a chunk that is too long")
)

// A Framer follows the requests of a connection whose server is more lenient
// than [Parse], so that nothing reaches the server that it could misread. The
// zero value is at the beginning of a request. It keeps a copy of a head until
// the head is complete; the server limits its length.
type Framer struct {
	part  []byte // what has come of a head, or of a line of a chunk
	left  int64  // bytes to come of the body, or of a chunk and its CRLF
	lines lines
	err   error
}

// lines says which lines of a chunked body are expected.
type lines uint8

const (
	noLines  lines = iota
	sizes          // of chunks
	trailers       // behind the last chunk
)

// Next returns how many bytes of data, which must not be empty, may go to the
// server in one piece: none beyond the end of a request. An error, which is an
// *[Error], says that the next byte must not go there. After it there are only
// errors.
func (f *Framer) Next(data []byte) (n int, err error) {
	for n < len(data) && f.err == nil {
		var taken int
		taken, f.err = f.step(data[n:])
		if n += taken; f.between() {
			break
		}
	}
	if n > 0 {
		return n, nil
	}
	return 0, f.err
}

// between reports whether a request has ended and no other has begun.
func (f *Framer) between() bool {
	return f.err == nil && f.left == 0 && f.lines == noLines && f.part == nil
}

func (f *Framer) step(data []byte) (n int, err error) {
	switch {
	case f.left > 0:
		n = int(min(f.left, int64(len(data))))
		f.left -= int64(n)
		return n, nil
	case f.lines != noLines:
		return f.line(data)
	}
	return f.head(data)
}

// head takes what data has of a head.
func (f *Framer) head(data []byte) (n int, err error) {
	all := data
	if f.part != nil {
		f.part = append(f.part, data...)
		all = f.part
	}
	text, rest, whole := Cut(all)
	if !whole {
		if f.part == nil {
			f.part = bytes.Clone(data)
		}
		return len(data), nil
	}
	h, err := Parse(text)
	if err != nil {
		return 0, err
	}
	f.part = nil
	if f.left = h.Length; h.Length == Chunked {
		f.left, f.lines = 0, sizes
	}
	return len(data) - len(rest), nil
}

// line takes what data has of a line of a chunked body (RFC 9112 §7.1).
func (f *Framer) line(data []byte) (n int, err error) {
	n = bytes.IndexByte(data, '\n') + 1
	line := data[:n]
	if n == 0 {
		line = data
	}
	if line = append(f.part, line...); len(line) > maxLine {
		return 0, errLongLine
	}
	if n == 0 {
		f.part = line
		return len(data), nil
	}
	text, _, err := cutLine(line)
	if err != nil {
		return 0, err
	}
	f.part = nil
	if f.lines == trailers {
		err = f.trailer(text)
	} else {
		err = f.size(text)
	}
	if err != nil {
		return 0, err
	}
	return n, nil
}

// size takes the size of a chunk. Extensions are not looked into.
func (f *Framer) size(line []byte) error {
	digits, extension, _ := bytes.Cut(line, []byte(";"))
	size, err := strconv.ParseUint(string(digits), 16, 60) // no sign, no underscore, no prefix
	if err != nil || !allValue(extension) {
		return errChunk
	}
	if f.left = int64(size) + 2; size == 0 {
		f.left, f.lines = 0, trailers
	}
	return nil
}

// trailer takes a line behind the last chunk.
func (f *Framer) trailer(line []byte) error {
	if len(line) == 0 {
		f.lines = noLines
		return nil
	}
	name, value, found := bytes.Cut(line, []byte(":"))
	if !found || !all(name, tokenChar) || !allValue(trim(value)) {
		return errField
	}
	return checkTrailer(name)
}
