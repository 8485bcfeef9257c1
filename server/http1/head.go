// Package http1 reads the heads of HTTP/1 requests (RFC 9112) strictly: it
// refuses input that two programs on the way could take for two different
// requests, even where the RFC lets a server be lenient.
//
// It is pure: no I/O, no goroutines, no clock. A [Head] refers to the bytes it
// was parsed from, and parsing allocates nothing.
package http1

import (
	"bytes"
	"iter"
	"net/http"
)

// MaxFields is how many field lines a head may have.
const MaxFields = 128

// Chunked, in place of a length, means that the body arrives in chunks.
const Chunked = -1

// A Head is the head of a valid request. Its slices are parts of the input of
// [Parse], and valid as long as that is.
type Head struct {
	Method   []byte
	Target   []byte // as it was sent
	Path     []byte // of the target, with its escapes; "*" for the whole server
	Query    []byte // of the target, what follows the first ?
	Host     []byte // from the target if that has one, else from the Host field; HTTP/1.0 may have none
	Origin   []byte // the field, nil if there is none
	Minor    int    // of the version: HTTP/1.Minor
	Length   int64  // of the body in bytes, 0 if there is none, or Chunked
	Close    bool   // the client wants no further request on the connection
	Continue bool   // the client waits for "100 Continue" before it sends the body

	fields []byte // the field lines, each with its CRLF
}

// An Error says why a request is refused. The connection must end with the
// answer, because the beginning of the next request is unknown.
type Error struct {
	Status int // of HTTP
	Reason string
}

func (e *Error) Error() string { return e.Reason }

func bad(reason string) *Error { return &Error{http.StatusBadRequest, reason} }

var (
	errLine        = bad("malformed request line")
	errVersion     = &Error{http.StatusHTTPVersionNotSupported, "not HTTP/1.0 or HTTP/1.1"}
	errConnect     = &Error{http.StatusNotImplemented, "this is no proxy: CONNECT"}
	errTarget      = bad("malformed request target")
	errEnding      = bad("a line that does not end with CRLF")
	errField       = bad("malformed field line")
	errName        = bad("invalid field name")
	errValue       = bad("invalid field value")
	errMany        = &Error{http.StatusRequestHeaderFieldsTooLarge, "too many field lines"}
	errTwice       = bad("a field twice that there can be one of")
	errNoHost      = bad("missing Host")
	errHost        = bad("invalid host")
	errLength      = bad("invalid Content-Length")
	errCoding      = bad("invalid Transfer-Encoding")
	errUnknown     = &Error{http.StatusNotImplemented, "unknown transfer coding"}
	errTwoLengths  = bad("both Transfer-Encoding and Content-Length")
	errOldEncoding = bad("Transfer-Encoding in HTTP/1.0")
	errTrailer     = bad("a trailer that must not be one")
)

// Cut finds the head at the beginning of data, and the bytes that follow it. It
// skips an empty line before it (RFC 9112 §2.2). ok is false if the head is
// incomplete. Data that can never become a head is returned as it is, for
// [Parse] to refuse.
func Cut(data []byte) (head, rest []byte, ok bool) {
	data = bytes.TrimPrefix(data, []byte("\r\n"))
	if i := bytes.Index(data, []byte("\r\n\r\n")); i >= 0 {
		return data[: i+4 : i+4], data[i+4:], true
	}
	for at := 0; ; {
		i := bytes.IndexByte(data[at:], '\n')
		if i < 0 {
			return nil, data, false
		}
		if at += i + 1; at < 2 || data[at-2] != '\r' {
			return data, nil, true
		}
	}
}

// Parse reads a head, up to and including its blank line. Its error is an
// *[Error].
func Parse(head []byte) (h Head, err error) {
	line, fields, err := cutLine(head)
	if err != nil {
		return h, err
	}
	if err := h.parseLine(line); err != nil {
		return h, err
	}
	h.fields = bytes.TrimSuffix(fields, []byte("\r\n"))
	if len(h.fields) == len(fields) {
		return h, errEnding
	}
	if err := h.parseFields(); err != nil {
		return h, err
	}
	return h, nil
}

// cutLine cuts a line off, without its CRLF. A bare CR in it is found by whoever
// looks at its characters.
func cutLine(data []byte) (line, rest []byte, err error) {
	i := bytes.IndexByte(data, '\n')
	if i < 1 || data[i-1] != '\r' {
		return nil, nil, errEnding
	}
	return data[:i-1], data[i+1:], nil
}

// parseLine reads the request line (RFC 9112 §3): between its parts is one space.
func (h *Head) parseLine(line []byte) error {
	method, rest, _ := bytes.Cut(line, []byte(" "))
	target, version, found := bytes.Cut(rest, []byte(" "))
	digits, isHTTP := bytes.CutPrefix(version, []byte("HTTP/"))
	switch {
	case !found, !all(method, tokenChar), !all(target, targetChar):
		return errLine
	case !isHTTP, len(digits) != 3, !isDigit(digits[0]), digits[1] != '.', !isDigit(digits[2]):
		return errLine
	case digits[0] != '1':
		return errVersion
	}
	h.Method, h.Target, h.Minor = method, target, int(digits[2]-'0')
	return h.parseTarget()
}

// Fields yields the names and values of all field lines, in order.
func (h *Head) Fields() iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for rest := h.fields; len(rest) > 0; {
			line, more, _ := cutLine(rest) // Parse has looked
			name, value, _ := bytes.Cut(line, []byte(":"))
			if !yield(name, trim(value)) {
				return
			}
			rest = more
		}
	}
}

// Get returns the value of the first field with a name, given in lower case,
// and whether there is one.
func (h *Head) Get(name string) (value []byte, ok bool) {
	for n, v := range h.Fields() {
		if Is(n, name) {
			return v, true
		}
	}
	return nil, false
}

// Values returns the values of all fields with a name, given in lower case.
func (h *Head) Values(name string) (values []string) {
	for n, v := range h.Fields() {
		if Is(n, name) {
			values = append(values, string(v))
		}
	}
	return values
}
