package http1

import (
	"bytes"
	"strconv"
)

// A single is a field that a request has at most once, as it means something here
// and is no list (RFC 9110 §5.3, RFC 6455 §11.3): of two, one program would take
// the first and another the last.
type single uint8

const (
	host single = 1 << iota
	contentLength
	transferEncoding
	origin
	upgrade
	key
	version
)

// parseFields reads the field lines (RFC 9112 §5) and what they say of the body.
func (h *Head) parseFields() error {
	var (
		seen   single
		closes bool
		keeps  bool
		n      int
	)
	for rest := h.fields; len(rest) > 0; n++ {
		line, more, err := cutLine(rest)
		if err != nil {
			return err
		}
		rest = more
		name, value, found := bytes.Cut(line, []byte(":"))
		value = trim(value)
		switch {
		case n == MaxFields:
			return errMany
		case !found:
			return errField
		case !all(name, tokenChar): // so no line is folded, and no space is before the colon
			return errName
		case !allValue(value):
			return errValue
		}
		this, err := h.parseField(name, value)
		switch {
		case err != nil:
			return err
		case seen&this != 0:
			return errTwice
		case Is(name, "connection"):
			closes = closes || Lists(value, "close")
			keeps = keeps || Lists(value, "keep-alive")
		}
		seen |= this
	}
	h.Close = closes || h.Minor == 0 && !keeps
	switch {
	case seen&host == 0 && h.Minor > 0: // RFC 9112 §3.2
		return errNoHost
	case seen&transferEncoding == 0:
		return nil
	case seen&contentLength != 0: // RFC 9112 §6.1, as the next one
		return errTwoLengths
	case h.Minor == 0:
		return errOldEncoding
	}
	h.Length = Chunked
	return nil
}

// parseField takes from one field what matters here. It returns which it is, if
// there can be only one.
func (h *Head) parseField(name, value []byte) (_ single, err error) {
	switch len(name) { // few have to be compared
	case 4:
		if Is(name, "host") {
			return host, h.parseHost(value)
		}
	case 6:
		if Is(name, "origin") {
			h.Origin = value
			return origin, nil
		}
		if Is(name, "expect") {
			h.Continue = h.Continue || Is(value, "100-continue") && h.Minor > 0 // RFC 9110 §10.1.1
		}
	case 7:
		if Is(name, "upgrade") {
			return upgrade, nil
		}
		if Is(name, "trailer") {
			return 0, checkTrailer(value)
		}
	case 14:
		if Is(name, "content-length") {
			h.Length, err = parseLength(value)
			return contentLength, err
		}
	case 17:
		if Is(name, "transfer-encoding") {
			return transferEncoding, checkCoding(value)
		}
		if Is(name, "sec-websocket-key") {
			return key, nil
		}
	case 21:
		if Is(name, "sec-websocket-version") {
			return version, nil
		}
	}
	return 0, nil
}

// parseHost takes the Host field, which must be good even if the target has a host
// of its own, which counts then (RFC 9112 §3.2.2).
func (h *Head) parseHost(value []byte) error {
	if len(value) > 0 && !validHost(value) { // RFC 9112 §3.2: empty if there is no authority
		return errHost
	}
	if h.Host == nil {
		h.Host = value
	}
	return nil
}

// parseLength reads a Content-Length: digits, no sign, and no list, even of equal
// values (RFC 9112 §6.3 would allow that).
func parseLength(value []byte) (int64, error) {
	if !all(value, digitChar) {
		return 0, errLength
	}
	n, err := strconv.ParseInt(string(value), 10, 64)
	if err != nil {
		return 0, errLength
	}
	return n, nil
}

// checkCoding takes "chunked" alone. Others are not known, and without chunked at
// the end there is no telling where the body ends (RFC 9112 §6.1, §6.3).
func checkCoding(value []byte) error {
	before, last := value[:0], value
	if i := bytes.LastIndexByte(value, ','); i >= 0 {
		before, last = trim(value[:i]), trim(value[i+1:])
	}
	switch {
	case !Is(last, "chunked"), Lists(before, "chunked"):
		return errCoding
	case len(before) > 0:
		return errUnknown
	case len(last) < len(value): // an empty element
		return errCoding
	}
	return nil
}

// checkTrailer refuses to have the length of a body behind it (RFC 9110 §6.5.1).
func checkTrailer(value []byte) error {
	if Lists(value, "transfer-encoding") || Lists(value, "content-length") || Lists(value, "trailer") {
		return errTrailer
	}
	return nil
}

// Lists reports whether a list of tokens contains token, in any case.
func Lists(value []byte, token string) bool {
	for len(value) > 0 {
		var element []byte
		element, value, _ = bytes.Cut(value, []byte(","))
		if Is(trim(element), token) {
			return true
		}
	}
	return false
}
