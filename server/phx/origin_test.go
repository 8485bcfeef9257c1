package phx_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// status is the status of a handshake with such headers.
func status(t *testing.T, ep *phx.Endpoint, target string, headers ...string) (code int, head string) {
	t.Helper()
	c := connect(t, ep)
	c.write(request(target, headers...))
	head = c.head()
	if _, err := fmt.Sscanf(head, "HTTP/1.1 %d ", &code); err != nil {
		t.Fatalf("answer %q: %v", head, err)
	}
	return code, head
}

// Which pages may connect (spec §1.4). Requests are for example.test:4000.
func TestOrigins(t *testing.T) {
	for _, tt := range []struct {
		name    string
		origins []string
		host    string // Config.Host
		yes, no string // origins, separated by spaces
	}{
		{"default", nil, "",
			"http://example.test:4000 https://EXAMPLE.test:4000", "http://example.test http://sub.example.test:4000 null file://"},
		{"host", nil, "example.com",
			"http://example.com https://example.com:8443 ftp://EXAMPLE.COM", "http://example.test:4000 http://a.example.com null"},
		{"any", []string{phx.AnyOrigin}, "", "http://evil.test null file:// https://x:1", ""},
		{"self", []string{phx.SelfOrigin}, "",
			"http://example.test:4000", "https://example.test:4000 http://example.test http://example.test:4001 null"},
		{"self or another", []string{phx.SelfOrigin, "//friend.test"}, "",
			"http://example.test:4000 https://friend.test:99", "https://example.test:4000 http://evil.test"},
		{"host only", []string{"//ex.com"}, "", "http://ex.com https://ex.com:99 HTTP://EX.COM", "http://www.ex.com http://ex.com.evil.test http://notex.com null"},
		{"scheme and its port", []string{"https://ex.com"}, "", "https://ex.com https://ex.com:443", "http://ex.com https://ex.com:444 http://ex.com:443"},
		{"scheme and port", []string{"http://ex.com:81"}, "", "http://ex.com:81", "http://ex.com https://ex.com:81"},
		{"port", []string{"//ex.com:888"}, "", "http://ex.com:888 https://ex.com:888", "http://ex.com https://ex.com:889"},
		{"port of the scheme", []string{"//ex.com:80"}, "", "http://ex.com http://ex.com:80 https://ex.com:80", "https://ex.com"},
		{"subdomains", []string{"//*.ex.com"}, "", "http://ex.com https://a.ex.com:1 http://a.b.ex.com", "http://notex.com http://ex.com.evil.test http://a.ex.org"},
		{"several", []string{"//a.test", "//b.test"}, "", "http://a.test http://b.test", "http://c.test"},
		{"IPv6", []string{"http://[::1]:81"}, "", "http://[::1]:81", "http://[::2]:81"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := startConfig(t, phx.Config{Host: tt.host, Mounts: []phx.Mount{{Path: "/socket", Origins: tt.origins}}})
			check := func(origins string, want int) {
				for origin := range strings.FieldsSeq(origins) {
					if got, _ := status(t, ep, "/socket/websocket", "Origin: "+origin); got != want {
						t.Errorf("%s: status %d, want %d", origin, got, want)
					}
				}
			}
			check(tt.yes, 101)
			check(tt.no, 403)
			if got, _ := status(t, ep, "/socket/websocket"); got != 101 {
				t.Errorf("without Origin: status %d, want 101", got)
			}
		})
	}
}

// Two mounts of one path differ in their transports, and may differ in everything else.
func TestMountsHaveTheirOwnOrigins(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/a", Origins: []string{"//a.test"}},
		{Path: "/a", WebSocketPath: "/ws2", Origins: []string{"//b.test"}},
		{Path: "/off", WebSocketPath: phx.Off, LongPoll: &phx.LongPoll{}},
	}})
	for _, tt := range []struct {
		target, origin string
		status         int
	}{
		{"/a/websocket", "http://a.test", 101},
		{"/a/websocket", "http://b.test", 403},
		{"/a/ws2", "http://b.test", 101},
		{"/a/ws2", "http://a.test", 403},
		{"/off/websocket", "http://a.test", 404},
	} {
		if got, _ := status(t, ep, tt.target, "Origin: "+tt.origin); got != tt.status {
			t.Errorf("%s from %s: status %d, want %d", tt.target, tt.origin, got, tt.status)
		}
	}
}
