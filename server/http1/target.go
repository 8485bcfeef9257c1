package http1

import (
	"bytes"
	"net/netip"
	"strings"
)

// parseTarget reads the request target (RFC 9112 §3.2).
func (h *Head) parseTarget() error {
	rest := h.Target
	switch {
	case string(h.Method) == "CONNECT": // the answer would begin a tunnel
		return errConnect
	case rest[0] == '/':
	case string(rest) == "*" && string(h.Method) == "OPTIONS":
	default:
		var err error
		if rest, err = h.parseAuthority(); err != nil {
			return err
		}
	}
	h.Path, h.Query, _ = bytes.Cut(rest, []byte("?"))
	if len(h.Path) == 0 {
		h.Path = []byte("/")
	}
	if !validEscapes(h.Path) {
		return errTarget
	}
	return nil
}

// parseAuthority reads the beginning of the absolute form, and returns the rest.
// Who is in it before an @ is not looked at but refused (RFC 9110 §4.2.4).
func (h *Head) parseAuthority() (rest []byte, err error) {
	scheme, rest, found := bytes.Cut(h.Target, []byte("://"))
	if !found || !Is(scheme, "http") && !Is(scheme, "https") {
		return nil, errTarget
	}
	end := bytes.IndexAny(rest, "/?")
	if end < 0 {
		end = len(rest)
	}
	if h.Host = rest[:end:end]; !validHost(h.Host) {
		return nil, errHost
	}
	return rest[end:], nil
}

// validHost reports whether a host, with or without a port, is a name or an address
// that needs no escapes. (RFC 3986 §3.2.2 allows more, but no real name uses that.)
func validHost(host []byte) bool {
	name, port := host, []byte(nil)
	if i := bytes.LastIndexByte(host, ':'); i > bytes.LastIndexByte(host, ']') {
		name, port = host[:i], host[i+1:]
	}
	if len(port) > 0 && !all(port, digitChar) || len(port) > len("65535") {
		return false
	}
	if literal, found := bytes.CutPrefix(name, []byte("[")); found {
		addr, err := netip.ParseAddr(strings.TrimSuffix(string(literal), "]"))
		return err == nil && addr.Is6() && addr.Zone() == "" && literal[len(literal)-1] == ']'
	}
	return all(name, hostChar)
}

// validEscapes reports whether each % is followed by two hexadecimal digits.
func validEscapes(path []byte) bool {
	for {
		i := bytes.IndexByte(path, '%')
		if i < 0 {
			return true
		}
		if path = path[i+1:]; len(path) < 2 || !isHex(path[0]) || !isHex(path[1]) {
			return false
		}
	}
}
