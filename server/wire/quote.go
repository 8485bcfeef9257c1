package wire

import "unicode/utf8"

// appendString appends s as a JSON string. The result is valid JSON and UTF-8
// for any s: invalid bytes are replaced by U+FFFD. Unlike encoding/json it does
// not escape for HTML.
func appendString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	done := 0 // s[:done] is in dst
	for i := 0; i < len(s); {
		c := s[i]
		switch {
		case c < ' ' || c == '"' || c == '\\':
			dst = append(dst, s[done:i]...)
			dst = appendEscape(dst, c)
			i++
			done = i
		case c < utf8.RuneSelf:
			i++
		default:
			r, size := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && size == 1 {
				dst = append(dst, s[done:i]...)
				dst = utf8.AppendRune(dst, utf8.RuneError)
				done = i + 1
			}
			i += size
		}
	}
	dst = append(dst, s[done:]...)
	return append(dst, '"')
}

// appendEscape appends a quote, backslash or control character, escaped.
func appendEscape(dst []byte, c byte) []byte {
	const hex = "0123456789abcdef"
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&0xf])
}

// appendRef appends a ref as JSON.
func appendRef(dst []byte, r Ref) []byte {
	if r == "" {
		return append(dst, "null"...)
	}
	return append(dst, r...)
}

// appendResponse appends what both versions have for the payload of a reply.
func appendResponse(dst []byte, status string, p Payload) []byte {
	dst = append(dst, `{"status":`...)
	dst = appendString(dst, status)
	dst = append(dst, `,"response":`...)
	dst = p.appendJSON(dst)
	return append(dst, '}')
}
