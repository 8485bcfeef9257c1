package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/roost-rt/roost/server/frame"
)

// RFC 6455 §5.2
const (
	opText  = 0x1
	opClose = 0x8
	opPing  = 0x9

	fin, rsv1 = 0x80, 0x40
)

// patience is how long a client waits for what must come.
const patience = 5 * time.Second

// home is where bystanders connect from. Attackers have addresses of their own, so
// that limits by address tell them apart, and ports that no earlier attack has
// used up.
var home = net.IPv4(127, 0, 0, 1)

func (t *target) source() net.IP {
	pid := os.Getpid()
	return net.IPv4(127, 1, byte(pid>>8), byte(pid))
}

// mask leaves payloads as they are.
var mask [4]byte

// A client is a WebSocket client that does what it likes.
type client struct {
	net.Conn
	in      *bufio.Reader
	frames  frame.Config
	decoder frame.Decoder
	data    []byte // read, not decoded yet
}

// A closeError is a Close frame of the server's.
type closeError struct {
	code   int
	reason string
}

func (e *closeError) Error() string {
	return strings.TrimSpace(fmt.Sprintf("closed %d %s", e.code, e.reason))
}

// hungUp reports whether err is the end of a connection without a Close frame.
func hungUp(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// connect opens a TCP connection. Its writes must finish before ctx ends, its reads may
// take a little longer.
func (t *target) connect(ctx context.Context) (net.Conn, error) {
	conn, err := dialTCP(ctx, t.addr, t.source())
	if err != nil {
		return nil, err
	}
	if end, ok := ctx.Deadline(); ok {
		err = errors.Join(conn.SetWriteDeadline(end), conn.SetReadDeadline(end.Add(t.wait)))
	}
	return conn, err
}

func dialTCP(ctx context.Context, addr string, from net.IP) (net.Conn, error) {
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: from}, Timeout: patience}
	return d.DialContext(ctx, "tcp", addr)
}

// dial opens a WebSocket.
func (t *target) dial(ctx context.Context, path string, headers ...string) (*client, error) {
	conn, err := t.connect(ctx)
	if err != nil {
		return nil, err
	}
	return open(conn, t.addr, path, headers...)
}

// open makes a connection a WebSocket.
func open(conn net.Conn, addr, path string, headers ...string) (*client, error) {
	c := &client{Conn: conn, in: bufio.NewReaderSize(conn, 16<<10), frames: frame.Config{Client: true, MaxFrame: 20 << 20, MaxMessage: 20 << 20}}
	if err := c.upgrade(addr, path, headers); err != nil {
		conn.Close()
		return nil, err
	}
	return c, nil
}

func (c *client) upgrade(addr, path string, headers []string) error {
	if _, err := io.WriteString(c, request("GET", path, addr, append(headers, upgradeHeaders...)...)); err != nil {
		return err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("status %d", answer.StatusCode)
	}
	return nil
}

var upgradeHeaders = []string{
	"Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
}

// request is the head of an HTTP request.
func request(method, path, host string, headers ...string) string {
	lines := append([]string{method + " " + path + " HTTP/1.1", "Host: " + host}, headers...)
	return strings.Join(lines, "\r\n") + "\r\n\r\n"
}

// receive waits for the next text or binary message. It is valid until the next
// call.
func (c *client) receive() ([]byte, error) {
	for {
		f, ok, err := c.decoder.Next(&c.frames, &c.data)
		switch {
		case err != nil:
			return nil, err
		case ok && f.Op == opClose:
			code, reason := frame.ParseClose(f.Payload)
			return nil, &closeError{int(code), reason}
		case ok && f.Op < opClose:
			return f.Payload, nil
		case ok:
			continue // pong
		}
		if err := c.read(); err != nil {
			return nil, err
		}
	}
}

// read takes what has arrived.
func (c *client) read() error {
	if _, err := c.in.Peek(1); err != nil {
		return err
	}
	c.data, _ = c.in.Peek(c.in.Buffered()) // it is buffered
	_, _ = c.in.Discard(len(c.data))       // as are its bytes, until the next Peek
	return nil
}

// join joins a topic with join_ref 1 and waits for the reply.
func (c *client) join(topic string) error {
	if err := c.push("1", topic, "phx_join", "{}"); err != nil {
		return err
	}
	answer, err := c.receive()
	switch {
	case err != nil:
		return err
	case refusal(answer) != "":
		return fmt.Errorf("join %s: %s", topic, refusal(answer))
	}
	return nil
}

// push sends a message.
func (c *client) push(ref, topic, event, payload string) error {
	_, err := c.Write(push(ref, topic, event, payload))
	return err
}

// push is a message of a channel that was joined with join_ref 1, as a frame.
func push(ref, topic, event, payload string) []byte {
	return text(fmt.Sprintf(`["1",%q,%q,%q,%s]`, ref, topic, event, payload))
}

func text(payload string) []byte { return frame.AppendMasked(nil, opText, mask, []byte(payload)) }

// filler is JSON of about n bytes.
func filler(n int) string { return `{"k":"` + strings.Repeat("x", n) + `"}` }

// isBroadcast reports whether a message answers nothing: [null,null,…].
func isBroadcast(message []byte) bool { return bytes.HasPrefix(message, []byte("[null,null,")) }

// refusal is the reason of an error reply, or "".
func refusal(message []byte) string {
	_, rest, isError := bytes.Cut(message[max(0, len(message)-200):], []byte(`"status":"error"`))
	if !isError && !bytes.Contains(message[:min(len(message), 200)], []byte(`"status":"error"`)) {
		return ""
	}
	for _, part := range [][]byte{rest, message[:min(len(message), 300)]} {
		if _, reason, found := bytes.Cut(part, []byte(`"reason":"`)); found {
			reason, _, _ = bytes.Cut(reason, []byte(`"`))
			return string(reason[:min(len(reason), 40)])
		}
	}
	return "error"
}
