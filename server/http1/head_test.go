package http1_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/roost-rt/roost/server/http1"
	"github.com/roost-rt/roost/server/http1/http1test"
)

// What is refused, and with which status.
func TestRefused(t *testing.T) {
	for _, c := range http1test.Cases {
		head, _, ok := http1.Cut([]byte(c.Request))
		if !ok {
			t.Errorf("%s: %q is not whole", c.Name, c.Request)
			continue
		}
		_, err := http1.Parse(head)
		var refusal *http1.Error
		switch errors.As(err, &refusal); {
		case c.Status == 0 && err != nil:
			t.Errorf("%s: %q is refused: %v", c.Name, c.Request, err)
		case c.Status != 0 && (refusal == nil || refusal.Status != c.Status):
			t.Errorf("%s: %q: error %v, want status %d", c.Name, c.Request, err, c.Status)
		}
	}
}

// What is understood of a head.
func TestParse(t *testing.T) {
	for _, tt := range []struct{ line, fields, want string }{
		{"GET /a%2Fb?c=/?d HTTP/1.1", "Host: h:80", `GET "/a%2Fb" "c=/?d" "h:80" 1 0 false false`},
		{"GET / HTTP/1.0", "", `GET "/" "" "" 0 0 true false`},
		{"GET / HTTP/1.0", "Connection: x , KEEP-alive", `GET "/" "" "" 0 0 false false`},
		{"GET / HTTP/1.0", "Expect: 100-continue", `GET "/" "" "" 0 0 true false`},
		{"GET / HTTP/1.7", "Host: h", `GET "/" "" "h" 7 0 false false`},
		{"GET HTTP://a:1/b?c HTTP/1.1", "Host: other", `GET "/b" "c" "a:1" 1 0 false false`},
		{"GET https://[::1]?c HTTP/1.1", "Host:", `GET "/" "c" "[::1]" 1 0 false false`},
		{"OPTIONS * HTTP/1.1", "Host: h", `OPTIONS "*" "" "h" 1 0 false false`},
		{"GET //a//b HTTP/1.1", "Host: h", `GET "//a//b" "" "h" 1 0 false false`},
		{"POST / HTTP/1.1", "Host: h\r\nContent-Length: 007\r\nConnection: a,,Close\r\nExpect: 100-Continue", `POST "/" "" "h" 1 7 true true`},
		{"POST / HTTP/1.1", "Host: h\r\nTransfer-Encoding:\tChunked\t", `POST "/" "" "h" 1 -1 false false`},
	} {
		h, err := http1.Parse([]byte(tt.line + "\r\n" + tt.fields + strings.Repeat("\r\n", min(len(tt.fields), 1)) + "\r\n"))
		got := fmt.Sprintf("%s %q %q %q %d %d %v %v", h.Method, h.Path, h.Query, h.Host, h.Minor, h.Length, h.Close, h.Continue)
		if err != nil || got != tt.want {
			t.Errorf("%q, %q: %s, %v, want %s", tt.line, tt.fields, got, err, tt.want)
		}
	}
}

func TestFields(t *testing.T) {
	h, err := http1.Parse([]byte("GET / HTTP/1.1\r\nHost: h\r\nX: \t a \tb\t \r\nx_y:\r\nx: \xff\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for name, value := range h.Fields() {
		all = append(all, fmt.Sprintf("%s=%q", name, value))
	}
	if want := []string{`Host="h"`, `X="a \tb"`, `x_y=""`, `x="\xff"`}; !slices.Equal(all, want) {
		t.Errorf("fields %q, want %q", all, want)
	}
	if v, ok := h.Get("x"); string(v) != "a \tb" || !ok {
		t.Errorf("x is %q, %v, want the first", v, ok)
	}
	if v, ok := h.Get("y"); ok {
		t.Errorf("y is %q, want none", v)
	}
	if got, want := h.Values("x"), []string{"a \tb", "\xff"}; !slices.Equal(got, want) {
		t.Errorf("all x are %q, want %q", got, want)
	}
}

// A head is found wherever its bytes are cut, and given up as soon as it can be
// none any more.
func TestCut(t *testing.T) {
	const head, rest = "GET / HTTP/1.1\r\nHost: h\r\n\r\n", "POST"
	for _, before := range []string{"", "\r\n"} {
		all := before + head + rest
		for n := range len(all) + 1 {
			h, r, ok := http1.Cut([]byte(all[:n]))
			switch whole := n >= len(before+head); {
			case ok != whole:
				t.Errorf("%q is whole: %v, want %v", all[:n], ok, whole)
			case ok && (string(h) != head || string(r) != all[len(before+head):n]):
				t.Errorf("%q is cut into %q and %q", all[:n], h, r)
			}
		}
	}
	for _, hopeless := range []string{"\n", "GET / HTTP/1.1\nHo", "GET / HTTP/1.1\r\nHost: h\n", "\r\n\n"} {
		head, _, ok := http1.Cut([]byte(hopeless))
		if !ok {
			t.Errorf("%q is waited for", hopeless)
		}
		if _, err := http1.Parse(head); err == nil {
			t.Errorf("%q is good", hopeless)
		}
	}
}

// Heads of any content that Parse is given without Cut are refused, not a panic.
func TestParseAnything(t *testing.T) {
	const head = "POST http://a:1/b?c HTTP/1.1\r\nHost: [::1]:2\r\nContent-Length: 5\r\n\r\n"
	for n := range len(head) {
		if _, err := http1.Parse([]byte(head[:n])); err == nil {
			t.Errorf("%q is good", head[:n])
		}
	}
}

// Every byte is looked at wherever it is in a value.
func TestValueBytes(t *testing.T) {
	for c := range 256 {
		for at := range 20 {
			value := []byte(strings.Repeat("v", 20))
			value[at] = byte(c)
			_, err := http1.Parse([]byte("GET / HTTP/1.1\r\nHost: h\r\nX: " + string(value) + "\r\n\r\n"))
			if good := c == '\t' || c >= ' ' && c != 0x7f; (err == nil) != good {
				t.Errorf("byte %#x at %d: %v", c, at, err)
			}
		}
	}
}

func TestParseAllocations(t *testing.T) {
	head := []byte(browser)
	if n := testing.AllocsPerRun(100, func() {
		h, err := http1.Parse(head)
		if _, ok := h.Get("origin"); err != nil || !ok {
			t.Error(err)
		}
	}); n != 0 {
		t.Errorf("%v allocations, want 0", n)
	}
}

// browser is the upgrade of a browser.
const browser = "GET /socket/websocket?token=SFMyNTY.g2gDYQFuBgDWQyz0hgFiAAFRgA.abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG&vsn=2.0.0 HTTP/1.1\r\n" +
	"Host: chat.example.com\r\nConnection: Upgrade\r\nPragma: no-cache\r\nCache-Control: no-cache\r\n" +
	"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n" +
	"Upgrade: websocket\r\nOrigin: https://chat.example.com\r\nSec-WebSocket-Version: 13\r\nAccept-Encoding: gzip, deflate, br, zstd\r\n" +
	"Accept-Language: en-GB,en;q=0.9\r\nCookie: _roost_session=abcdefghijklmnopqrstuvwxyz0123456789\r\n" +
	"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\r\n"

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	head := []byte(browser)
	b.SetBytes(int64(len(head)))
	for b.Loop() {
		if _, err := http1.Parse(head); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkRequest(b *testing.B) {
	h, err := http1.Parse([]byte(browser))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := h.Request(); err != nil {
			b.Fatal(err)
		}
	}
}
