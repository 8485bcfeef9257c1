package main_test

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

// patience is how long a test waits for what must come.
const patience = 30 * time.Second

// A client is a WebSocket client that knows nothing of Phoenix.
type client struct {
	conn    net.Conn
	frames  frame.Config
	decoder frame.Decoder
	data    []byte // read, but not decoded yet
	buf     [64 << 10]byte
}

// mask is that of every frame.
var mask = [4]byte{1, 2, 3, 4}

// upgrade is a request for a WebSocket. headers are "Name: value" lines.
func upgrade(addr, target string, headers ...string) string {
	lines := append([]string{
		"GET " + target + " HTTP/1.1", "Host: " + addr,
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// handshake asks for a WebSocket and returns the answer. The client is nil unless
// the answer is 101.
func handshake(t *testing.T, addr, target string, headers ...string) (*client, *http.Response, string) {
	t.Helper()
	return converse(t, addr, []byte(upgrade(addr, target, headers...)))
}

// converse sends what a client says first.
func converse(t *testing.T, addr string, first []byte) (*client, *http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.Write(first); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(response.Body) // the status says more than a missing body would
		return nil, response, string(body)
	}
	early, _ := r.Peek(r.Buffered())
	return &client{conn: conn, frames: frame.Config{Client: true, MaxFrame: 20 << 20}, data: early}, response, ""
}

func dial(t *testing.T, addr, target string, headers ...string) *client {
	t.Helper()
	c, response, _ := handshake(t, addr, target, headers...)
	if c == nil {
		t.Fatalf("GET %s: %s, want 101", target, response.Status)
	}
	return c
}

func (c *client) send(t *testing.T, op ws.OpCode, payload []byte) {
	t.Helper()
	if _, err := c.conn.Write(frame.AppendMasked(nil, op, mask, payload)); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// receive waits for the next frame.
func (c *client) receive(t *testing.T) frame.Frame {
	t.Helper()
	for {
		f, ok, err := c.decoder.Next(&c.frames, &c.data)
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		if ok {
			return f
		}
		n, err := c.conn.Read(c.buf[:])
		if err != nil {
			t.Fatalf("receive: %v", err)
		}
		c.data = c.buf[:n]
	}
}

// goodbye closes the connection and sees that nothing is left on it.
func (c *client) goodbye(t *testing.T, name string) {
	t.Helper()
	c.send(t, ws.OpClose, []byte{1000 >> 8, 1000 & 0xff})
	if got := c.receive(t); got.Op != ws.OpClose {
		t.Errorf("%s got %s, which it did not expect", name, show(got))
	}
	c.conn.Close()
}
