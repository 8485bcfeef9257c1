package main

import (
	"cmp"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// connectPollInfo is a Connect that keeps what it can learn of the connection
// (spec §1.6), for the channels to show.
func connectPollInfo(s *phx.Socket, params phx.Params, r *http.Request) error {
	s.Assign("user_id", params["user_id"])
	s.Assign("connect_info", pollInfo(r))
	return nil
}

// connectInfo keeps what only WebSocket mounts ask for, too.
func connectInfo(s *phx.Socket, params phx.Params, r *http.Request) error {
	info := pollInfo(r)
	info["sec_websocket_headers"] = headers(r, "sec-websocket-")
	info["user_agent"] = optional(r.UserAgent())
	info["signing_salt"] = "salt"
	s.Assign("user_id", params["user_id"])
	s.Assign("connect_info", info)
	return nil
}

func pollInfo(r *http.Request) map[string]any {
	address, port := hostPort(r.RemoteAddr)
	return map[string]any{
		"x_headers":             headers(r, "x-"),
		"trace_context_headers": headers(r, "traceparent", "tracestate"),
		"peer_data":             map[string]any{"address": address, "port": port, "ssl_cert": nil},
		"uri":                   uri(r),
	}
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
