package phx_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// Refusals, as clients see them (spec §1.2, §1.3).
func TestRefusals(t *testing.T) {
	refuse := func(_ *phx.Socket, p phx.Params, _ *http.Request) error {
		switch p.String("do") {
		case "plain":
			return errors.New("no")
		case "limit":
			return fmt.Errorf("wrapped: %w", &phx.RefuseError{Status: 429, Body: "slow down"})
		case "default":
			return &phx.RefuseError{}
		case "panic":
			panic("as told")
		}
		return nil
	}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket"},
		{Path: "/ask", Connect: refuse},
		{Path: "/any", Origins: []string{phx.AnyOrigin}},
		{Path: "/odd", CheckOrigin: func(*url.URL, string) bool { panic("as told") }},
		{Path: "/list", CheckOrigin: func(o *url.URL, host string) bool { return o.Host == "friend.test" && host == "example.test:4000" }},
	}})
	for _, tt := range []struct {
		target, header string
		status         int
		body           string
	}{
		{target: "/socket/websocket", status: 101},
		{target: "/socket/websocket?vsn=1.0.0", status: 101},
		{target: "/socket/websocket?vsn=2.0.5", status: 101},
		{target: "/socket/websocket?vsn=9&vsn=2.0.0", status: 101}, // the last one wins
		{target: "/socket/websocket?a=1&&vsn=2.0.0&", status: 101},
		{target: "/socket/websocket?vsn=2.0.0&vsn=9", status: 403},
		{target: "/socket/websocket?vsn=2.0", status: 403},
		{target: "/socket/websocket?vsn=2.1.0", status: 403},
		{target: "/socket/websocket?vsn=3.0.0", status: 403},
		{target: "/socket/websocket?vsn=abc", status: 403},
		{target: "/socket/websocket?vsn=", status: 403},
		{target: "/socket/websocket?vsn[]=2.0.0", status: 403},
		{target: "/socket/websocket?a=%zz", status: 400},

		{target: "/socket/websocket", header: "Origin: http://example.test:4000", status: 101},
		{target: "/socket/websocket", header: "origin: HTTPS://EXAMPLE.TEST:4000", status: 101},
		{target: "/socket/websocket", header: "Origin: http://example.test", status: 403},
		{target: "/any/websocket", header: "Origin: null", status: 101},
		{target: "/any/websocket", header: "Origin: file://", status: 101},
		{target: "/socket/websocket", header: "Origin: http://evil.test", status: 403},
		{target: "/socket/websocket", header: "Origin: http://example.test:4000.evil.test", status: 403},
		{target: "/socket/websocket", header: "Origin: null", status: 403},
		{target: "/socket/websocket", header: "Origin: file://", status: 403},
		{target: "/socket/websocket", header: "Origin:", status: 403},
		{target: "/any/websocket", header: "Origin: http://evil.test", status: 101},
		{target: "/list/websocket", header: "Origin: http://friend.test", status: 101},
		{target: "/list/websocket", header: "Origin: http://example.test:4000", status: 403},
		{target: "/odd/websocket", header: "Origin: http://friend.test", status: 500},
		{target: "/odd/websocket", status: 101},

		{target: "/ask/websocket", status: 101},
		{target: "/ask/websocket?do=plain", status: 403},
		{target: "/ask/websocket?do=default", status: 403},
		{target: "/ask/websocket?do=limit", status: 429, body: "slow down"},
		{target: "/ask/websocket?do=panic", status: 500},
		{target: "/ask/websocket?vsn=9&do=panic", status: 403}, // Connect is not asked

		{target: "/socket/longpoll", status: 404},
		{target: "/socket", status: 404},
		{target: "/", status: 404},
	} {
		t.Run(strings.TrimSuffix(tt.target+" "+tt.header, " "), func(t *testing.T) {
			c := connect(t, ep)
			if tt.header == "" {
				c.write(request(tt.target))
			} else {
				c.write(request(tt.target, tt.header))
			}
			head := c.head()
			if !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", tt.status)) {
				t.Fatalf("answer %q, want status %d", head, tt.status)
			}
			switch tt.status {
			case 101:
				c.send(ws.OpPing, nil)
				if f := c.next(); f.Op != ws.OpPong {
					t.Errorf("got opcode %#x, want a pong", f.Op)
				}
			case 404: // HTTP's
			default:
				if !strings.Contains(head, "\r\nConnection: close\r\n") {
					t.Errorf("answer %q, want it to say that the connection ends", head)
				}
				if body, err := io.ReadAll(io.MultiReader(bytes.NewReader(c.data), c.conn)); err != nil || string(body) != tt.body {
					t.Errorf("body %q and error %v, want %q and the end", body, err, tt.body)
				}
			}
		})
	}
}

// What is no valid upgrade is answered with the reason.
func TestUpgrades(t *testing.T) {
	ep := start(t)
	valid := string(request("/socket/websocket"))
	for _, tt := range []struct {
		name, request string
		status        int
	}{
		{"POST", strings.Replace(valid, "GET", "POST", 1), 400},
		{"no upgrade", "GET /socket/websocket HTTP/1.1\r\nHost: a\r\n\r\n", 400},
		{"no host", strings.Replace(valid, "Host: example.test:4000\r\n", "", 1), 400},
		{"no key", strings.Replace(valid, "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 1), 400},
		{"short key", strings.Replace(valid, "dGhl", "", 1), 400},
		{"a key that is no base64", strings.Replace(valid, "dGhlIHNhbXBsZSBub25jZQ==", strings.Repeat("!", 24), 1), 400},
		{"a key of 17 bytes", strings.Replace(valid, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTE=", 1), 400},
		{"a key of 18 bytes", strings.Replace(valid, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZTEy", 1), 400},
		{"a key with a tab in it", strings.Replace(valid, "dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXB\tsZSBub25jZQ==", 1), 400},
		{"an empty key", strings.Replace(valid, "dGhlIHNhbXBsZSBub25jZQ==", "", 1), 400},
		{"no version", strings.Replace(valid, "Sec-WebSocket-Version: 13\r\n", "", 1), 400},
		{"an empty version", strings.Replace(valid, "Version: 13", "Version:", 1), 426},
		{"two versions in one", strings.Replace(valid, "Version: 13", "Version: 13, 8", 1), 426},
		{"a version with a zero", strings.Replace(valid, "Version: 13", "Version: 013", 1), 426},
		{"HEAD", strings.Replace(valid, "GET", "HEAD", 1), 400},
		{"a body", strings.Replace(valid, "\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello", 1), 400},
		{"a body in chunks", strings.Replace(valid, "\r\n\r\n", "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 1), 400},
		{"a length of zero", strings.Replace(valid, "\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", 1), 101},
		{"another upgrade", strings.Replace(valid, "Upgrade: websocket", "Upgrade: websocket/13", 1), 400},
		{"no Connection", strings.Replace(valid, "keep-alive, Upgrade", "keep-alive", 1), 400},
		{"a Connection that is longer", strings.Replace(valid, "keep-alive, Upgrade", "upgrades", 1), 400},
		{"a list in Connection", strings.Replace(valid, "keep-alive, Upgrade", "keep-alive\t,\tUPGRADE", 1), 101},
		{"two Connections", strings.Replace(valid, "keep-alive, Upgrade", "keep-alive\r\nConnection: upgrade", 1), 101},
		{"HTTP/1.0", strings.Replace(valid, "HTTP/1.1", "HTTP/1.0", 1), 505},
		{"version 8", strings.Replace(valid, "Version: 13", "Version: 8", 1), 426},
		{"a header without a colon", strings.Replace(valid, "Host: ", "Host ", 1), 400},
		{"a long header line", string(request("/socket/websocket", "X: "+strings.Repeat("x", 5000))), 101},
		{"a long head", string(request("/socket/websocket", slices.Repeat([]string{"X: " + strings.Repeat("x", 1000)}, 17)...)), 431},
		{"an endless head", "GET /socket/websocket HTTP/1.1\r\nX: " + strings.Repeat("x", 17<<10), 431},
		{"no HTTP", "hello\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, ep)
			c.write([]byte(tt.request))
			if head := c.head(); !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", tt.status)) {
				t.Errorf("answer %q, want status %d", head, tt.status)
			} else if tt.status == 426 && !strings.Contains(head, "\r\nSec-WebSocket-Version: 13\r\n") {
				t.Errorf("answer %q lacks the version that is spoken (RFC 6455 §4.2.2)", head)
			}
		})
	}
}

// A handshake may come in pieces, with the first frames behind it; it makes no
// difference where it is cut, or whether the application is asked.
func TestSplitHandshake(t *testing.T) {
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{
		{Path: "/socket"},
		{Path: "/ask", Connect: setID("users:1")},
	}})
	for _, mount := range []string{"/socket", "/ask"} {
		all := append(request(mount+"/websocket?vsn=2.0.0"), masked(ws.OpText, `[null,"1","phoenix","heartbeat",{}]`)...)
		for cut := 1; cut < len(all); cut += 1 + len(all)/60 {
			splitHandshake(t, ep, all, cut)
		}
		for cut := range 6 { // around the blank line
			splitHandshake(t, ep, all, bytes.Index(all, []byte("\r\n\r\n"))+cut)
		}
	}
}

func splitHandshake(t *testing.T, ep *phx.Endpoint, all []byte, cut int) {
	t.Helper()
	c := connect(t, ep)
	c.write(all[:cut])
	if cut%2 == 0 { // else the kernel may put the pieces together again
		eventually(t, "the connection is there", func() bool { return ep.Stats().Connections > 0 })
	}
	c.write(all[cut:])
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("cut at %d: answer %q, want 101", cut, head)
	}
	c.want(`[null,"1","phoenix","phx_reply",{"status":"ok","response":{}}]`)
	c.send(ws.OpClose, nil)
	c.wantClosed(1000)
	c.hangUp(false)
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
}

// Frames that come while Connect thinks are handled after it; too many of them
// end the connection, and so does HandshakeTimeout. Connect holds up nobody.
func TestSlowConnect(t *testing.T) {
	t.Parallel()
	g := newGate()
	ep := startConfig(t, phx.Config{HandshakeTimeout: 3 * time.Second, Mounts: []phx.Mount{
		{Path: "/socket"},
		{Path: "/slow", Connect: func(*phx.Socket, phx.Params, *http.Request) error { g.pass(); return nil }},
	}})
	patient, flood, gone := connect(t, ep), connect(t, ep), connect(t, ep)
	for _, c := range []*client{flood, gone} {
		c.write(request("/slow/websocket"))
		within(t, "call of Connect", g.entered)
	}
	flood.write(make([]byte, 65<<10))
	flood.wantEnd()
	gone.hangUp(false)
	eventually(t, "two are gone", func() bool { return ep.Stats().Connections == 1 })
	dial(t, ep).heartbeat()

	patient.write(request("/slow/websocket?vsn=2.0.0"))
	within(t, "call of Connect", g.entered)
	for i := range 3 {
		patient.say(fmt.Sprintf(`[null,%d,"phoenix","heartbeat",{}]`, i))
	}
	g.open <- struct{}{} // lets one of the three go on
	g.open <- struct{}{}
	g.open <- struct{}{}
	patient.head()
	for i := range 3 {
		patient.want(fmt.Sprintf(`[null,%d,"phoenix","phx_reply",{"status":"ok","response":{}}]`, i))
	}

	late := connect(t, ep)
	late.write(request("/slow/websocket"))
	within(t, "call of Connect", g.entered)
	late.wantEnd()
	close(g.open)
	patient.send(ws.OpPing, nil) // its time is not up: the timeout was for the handshake
	if f := patient.next(); f.Op != ws.OpPong {
		t.Errorf("got opcode %#x, want a pong", f.Op)
	}
	half := connect(t, ep)
	half.write([]byte("GET /socket/websocket HTTP/1.1\r\n"))
	half.wantEnd()
}

// Connect sees the decoded query and the request.
func TestConnect(t *testing.T) {
	type seen struct {
		params phx.Params
		header string
		remote string
	}
	calls := make(chan seen, 1)
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{
		Path: "/socket",
		Connect: func(_ *phx.Socket, p phx.Params, r *http.Request) error {
			calls <- seen{p, r.Header.Get("X-Test"), r.RemoteAddr}
			return nil
		},
	}}})
	c := dialAt(t, ep, "/socket/websocket?a%5Bb%5D=1&t%5B0%5D=x&t%5B1%5D=y&&token=S&token=T&l[]=1&l[]=2&vsn=2.0.0", "X-Test: yes")
	got := within(t, "call of Connect", calls)
	want := phx.Params{
		"a": map[string]any{"b": "1"}, "t": map[string]any{"0": "x", "1": "y"},
		"l": []any{"1", "2"}, "token": "T", "vsn": "2.0.0",
	}
	if !reflect.DeepEqual(got.params, want) {
		t.Errorf("params %v, want %v", got.params, want)
	}
	if s := got.params.String("token") + got.params.String("a") + got.params.String("none"); s != "T" {
		t.Errorf("String of a string, a map and nothing makes %q, want T", s)
	}
	if got.header != "yes" || got.remote != c.conn.LocalAddr().String() {
		t.Errorf("header %q from %s, want yes from %s", got.header, got.remote, c.conn.LocalAddr())
	}
}

// The answer is that of RFC 6455 §1.3, and frames follow it at once.
func TestAnswer(t *testing.T) {
	c := connect(t, start(t))
	c.write(request("/socket/websocket"))
	if head := c.head(); !strings.Contains(head, "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n") {
		t.Errorf("answer %q lacks the accept key of RFC 6455 §1.3", head)
	}
	c.write(frame.AppendMasked(nil, ws.OpPing, mask, []byte("p")))
	if f := c.next(); f.Op != ws.OpPong || string(f.Payload) != "p" {
		t.Errorf("got opcode %#x and %q, want the pong", f.Op, f.Payload)
	}
}
