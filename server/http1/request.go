package http1

import (
	"net/http"
	"net/textproto"
	"net/url"
	"strings"
)

// Request returns the head as net/http's server would pass it to a handler,
// without context and remote address. It shares no memory with the head. The
// error is an *[Error].
func (h *Head) Request() (*http.Request, error) {
	target := string(h.Target)
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, errTarget
	}
	r := &http.Request{
		Method: string(h.Method), URL: u, RequestURI: target, Host: string(h.Host),
		Proto: "HTTP/1." + string(rune('0'+h.Minor)), ProtoMajor: 1, ProtoMinor: h.Minor,
		Header: h.header(), ContentLength: h.Length, Body: http.NoBody, Close: h.Close,
	}
	if h.Length == Chunked {
		r.TransferEncoding = []string{"chunked"}
	}
	return r, nil
}

// header is the fields as net/http has them, but Host and Transfer-Encoding, which
// are found elsewhere in a request. All texts are parts of one.
func (h *Head) header() http.Header {
	text := string(h.fields)
	n := strings.Count(text, "\n")
	header, values := make(http.Header, n), make([]string, n)
	for line := range strings.SplitSeq(strings.TrimSuffix(text, "\r\n"), "\r\n") {
		name, value, _ := strings.Cut(line, ":")
		name, value = textproto.CanonicalMIMEHeaderKey(name), strings.Trim(value, " \t")
		switch before, found := header[name]; {
		case name == "Host", name == "Transfer-Encoding", name == "": // no fields at all
		case found:
			header[name] = append(before, value)
		default:
			values[0] = value
			header[name], values = values[:1:1], values[1:]
		}
	}
	return header
}
