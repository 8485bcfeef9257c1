package main_test

import (
	"bufio"
	"fmt"
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
const patience = 10 * time.Second

// clientFrames is how a client decodes.
var clientFrames = frame.Config{Client: true}

// A client is a WebSocket client that knows nothing of Phoenix.
type client struct {
	conn    net.Conn
	decoder frame.Decoder
	data    []byte // read, but not decoded yet
	buf     [64 << 10]byte
}

// handshake asks for a WebSocket and returns the answer. headers are "Name: value"
// lines. The client is nil unless the answer is 101.
func handshake(t *testing.T, addr, target string, headers ...string) (*client, *http.Response, string) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(patience))
	lines := append([]string{
		"GET " + target + " HTTP/1.1", "Host: " + addr,
		"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, headers...)
	if _, err := fmt.Fprint(conn, strings.Join(lines, "\r\n"), "\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(conn)
	response, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("GET %s: %v", target, err)
	}
	if response.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(response.Body) // the status says more than a missing body would
		return nil, response, string(body)
	}
	early, _ := r.Peek(r.Buffered())
	return &client{conn: conn, data: early}, response, ""
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
	if _, err := c.conn.Write(frame.AppendMasked(nil, op, [4]byte{1, 2, 3, 4}, payload)); err != nil {
		t.Fatalf("send: %v", err)
	}
}

// receive waits for the next frame.
func (c *client) receive(t *testing.T) frame.Frame {
	t.Helper()
	for {
		f, ok, err := c.decoder.Next(&clientFrames, &c.data)
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
