package phx_test

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// Where no session waits for a body, nobody does: the request is answered as if it
// had none, whoever has the connection, and the connection ends.
func TestBodyWithoutSession(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	const path = "/socket/longpoll?vsn=2.0.0"
	for _, tt := range []struct {
		name, method, target, header, part string
		code, status                       int
	}{
		{"short", "POST", path, "Content-Length: 10", "[", 200, 410},
		{"long", "POST", path, "Content-Length: 7000000", "[", 200, 410},
		{"not begun", "POST", path, "Content-Length: 7000000", "", 200, 410},
		{"chunked", "POST", path, "Transfer-Encoding: chunked", "700000\r\n[", 200, 410},
		{"chunked, not begun", "POST", path, "Transfer-Encoding: chunked", "", 200, 410},
		{"false token", "POST", path + "&token=abc", "Transfer-Encoding: chunked", "700000\r\n[", 200, 410},
		{"expects 100", "POST", path, "Content-Length: 10\r\nExpect: 100-continue", "", 200, 410},
		{"chunked, expects 100", "POST", path, "Transfer-Encoding: chunked\r\nExpect: 100-continue", "", 200, 410},
		{"other origin", "POST", path, "Origin: http://evil.test\r\nContent-Length: 10", "[", 200, 403},
		{"no query", "POST", path + "&a=%zz", "Content-Length: 10", "[", 400, 0},
		{"PUT", "PUT", path, "Content-Length: 10", "[", 400, 0},
		{"GET", "GET", path, "Transfer-Encoding: chunked", "700000\r\n[", 200, 410},
		{"upgrade", "GET", "/socket/websocket", "Transfer-Encoding: chunked", "700000\r\n[", 400, 0},
	} {
		for _, holder := range []string{"loop", "net/http"} {
			t.Run(tt.name+", "+holder, func(t *testing.T) {
				c := dialWeb(t, ep)
				if holder == "net/http" {
					c.do("GET", "/", "")
				}
				fmt.Fprintf(c.conn, "%s %s HTTP/1.1\r\nHost: example.test:4000\r\n%s\r\n\r\n%s", tt.method, tt.target, tt.header, tt.part)
				if a := c.receive(); a.code != tt.code || a.Status != tt.status {
					t.Errorf("answer %d %q, want %d with status %d", a.code, a.body, tt.code, tt.status)
				}
				c.conn.SetWriteDeadline(time.Now().Add(patience))
				_, _ = io.WriteString(c.conn, strings.Repeat("x", 200<<10)) // nobody minds what follows
				c.wantEnd()
				eventuallyHolds(t, ep, "nothing is held", 0, 0)
			})
		}
	}
}

// A chunked body with a session counts with the others that are on their way, and is
// refused when there is no room.
func TestChunkedBodyWithoutRoom(t *testing.T) {
	cfg := longPolling(time.Minute)
	cfg.IncomingMax = 2 << 20
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	first := dialWeb(t, ep)
	first.begin(s.target, strings.Repeat("\n", 700_000), 1_000_000)
	eventuallyHolds(t, ep, "a part of a body is held", 700_000, 1_400_000)
	second := dialWeb(t, ep)
	second.send("POST", s.target, fmt.Sprintf("%x\r\n%s", 1_600_000, strings.Repeat("\n", 1_500_000)), ndjson, "Transfer-Encoding: chunked")
	if a, err := second.tryReceive(); err != nil || a.code != 503 {
		t.Errorf("a chunked body beyond IncomingMax: %d, %v, want 503", a.code, err)
	}
	second.wantEnd()
	eventuallyHolds(t, ep, "what was refused is let go", 700_000, 1_400_000)
	io.WriteString(first.conn, strings.Repeat("\n", 300_000))
	if a := first.receive(); a.body != `{"status":200}` {
		t.Errorf("the first: %d %s, want status 200", a.code, a.body)
	}
	eventuallyHolds(t, ep, "nothing is left", 0, 0)
}
