package main_test

import (
	"strings"
	"testing"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

func TestHandshakes(t *testing.T) {
	addr := start(t)
	const elsewhere, example, subdomain = "Origin: https://elsewhere.com", "Origin: http://example.com:81", "origin: http://a.example.com"
	tests := []struct {
		target, header string
		status         int
		body           string
	}{
		{"/socket/websocket", "", 101, ""},
		{"/socket/websocket?vsn=2.0.5", elsewhere, 101, ""},
		{"/socket/websocket?vsn=2.1.0", "", 403, ""},
		{"/socket/websocket?reject=true", "", 403, ""},
		{"/socket/websocket?ratelimit=true", "", 429, "Too many requests"},
		{"/fast/websocket", elsewhere, 101, ""},
		{"/small/websocket", elsewhere, 101, ""},
		{"/limited/websocket", elsewhere, 101, ""},
		{"/origin/websocket", "", 101, ""},
		{"/origin/websocket", example, 101, ""},
		{"/origin/websocket", elsewhere, 403, ""},
		{"/origin/websocket", subdomain, 403, ""},
		{"/ws/websocket?vsn=1.0.0", "", 101, ""},
		{"/ws/websocket?vsn=123.1.1", "", 403, ""},
		{"/ws/websocket?reject=true", "", 403, ""},
		{"/ws/websocket?ratelimit=true", "", 429, "Too many requests"},
		{"/ws/websocket", elsewhere, 403, ""},
		{"/ws/websocket", example, 101, ""},
		{"/ws/admin/websocket", elsewhere, 403, ""},
		{"/ws/admin/websocket", example, 101, ""},
		{"/ws/limited/websocket", elsewhere, 403, ""},
		{"/ws/limited/websocket", example, 101, ""},
		{"/ws/connect_info/websocket", elsewhere, 403, ""},
		{"/ws/connect_info/websocket", example, 101, ""},
		{"/lp/websocket", elsewhere, 101, ""},
		{"/lp/websocket?custom_error=true", "", 403, ""},
		{"/socket", "", 404, "404 page not found\n"},
		{"/nowhere/websocket", "", 404, "404 page not found\n"},
		{"/lp/connect_info/websocket", "", 404, "404 page not found\n"},
		{"/echo/websocket", "", 404, "not served yet: it needs mounts for raw WebSockets\n"},
	}
	for _, test := range tests {
		var headers []string
		if test.header != "" {
			headers = append(headers, test.header)
		}
		_, response, body := handshake(t, addr, test.target, headers...)
		if response.StatusCode != test.status || body != test.body {
			t.Errorf("GET %s, %q = %s, body %q, want %d, body %q", test.target, test.header, response.Status, body, test.status, test.body)
		}
	}
}

// The largest frame of /small, header included, is 65,536 bytes; other mounts
// take more.
func TestSmall(t *testing.T) {
	addr := start(t)
	const head, tail = `[null,"1","phoenix","heartbeat",{"x":"`, `"}]`
	tests := []struct {
		target string
		size   int // of the frame
		op     ws.OpCode
	}{
		{"/small/websocket?vsn=2.0.0", 65_536, ws.OpText},
		{"/small/websocket?vsn=2.0.0", 65_537, ws.OpClose},
		{"/socket/websocket?vsn=2.0.0", 65_537, ws.OpText},
	}
	for _, test := range tests {
		c := dial(t, addr, test.target)
		payload := test.size - frame.HeaderLen(65_000) - 4 // the mask
		c.send(t, ws.OpText, []byte(head+strings.Repeat("x", payload-len(head)-len(tail))+tail))
		got := c.receive(t)
		if got.Op != test.op {
			t.Errorf("%s: a frame of %d bytes is answered with %s", test.target, test.size, show(got))
		}
		if code, _ := frame.ParseClose(got.Payload); got.Op == ws.OpClose && code != ws.StatusMessageTooBig {
			t.Errorf("%s: a frame of %d bytes is answered with %s, want 1009", test.target, test.size, show(got))
		}
	}
}
