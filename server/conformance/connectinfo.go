package main

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// connectInfo is a Connect that keeps what it can learn of the connection
// (spec §1.6), for the channels to show.
func connectInfo(s *phx.Socket, _ phx.Params, r *http.Request) error {
	address, port := hostPort(r.RemoteAddr)
	s.Assign("connect_info", map[string]any{
		"x_headers":             headers(r, "x-"),
		"trace_context_headers": headers(r, "traceparent", "tracestate"),
		"sec_websocket_headers": headers(r, "sec-websocket-"),
		"peer_data":             map[string]any{"address": address, "port": port, "ssl_cert": nil},
		"uri":                   uri(r),
		"user_agent":            optional(r.UserAgent()),
		"signing_salt":          "salt",
	})
	return nil
}

// headers are those whose names, in lower case, begin with one of the prefixes.
// Of several with one name the last counts.
func headers(r *http.Request, prefixes ...string) map[string]string {
	found := make(map[string]string)
	for name, values := range r.Header {
		name = strings.ToLower(name)
		for _, prefix := range prefixes {
			if strings.HasPrefix(name, prefix) {
				found[name] = values[len(values)-1]
			}
		}
	}
	return found
}

func uri(r *http.Request) map[string]any {
	host, port := hostPort(r.Host)
	return map[string]any{"scheme": "http", "host": host, "port": port, "path": r.URL.Path, "query": r.URL.RawQuery}
}

// hostPort splits HOST[:PORT]; without a port it is HTTP's.
func hostPort(address string) (host string, port int) {
	u := url.URL{Host: address}
	port, _ = strconv.Atoi(cmp.Or(u.Port(), "80"))
	return u.Hostname(), port
}

// optional is nil, JSON's null, for an empty text.
func optional(text string) any {
	if text == "" {
		return nil
	}
	return text
}
