package phx_test

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// A client is one end of a bare TCP connection. It shares package frame with
// the server, and nothing else: messages are literal text.
type client struct {
	t       testing.TB
	conn    net.Conn
	decoder frame.Decoder
	data    []byte // read, not decoded yet
}

// connect opens a TCP connection that ends with the test.
func connect(t testing.TB, ep *phx.Endpoint) *client {
	t.Helper()
	conn, err := net.DialTimeout("tcp", ep.Addr().String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

// dial opens a socket of version 2 at /socket.
func dial(t testing.TB, ep *phx.Endpoint) *client {
	t.Helper()
	return dialAt(t, ep, "/socket/websocket?vsn=2.0.0")
}

func dialAt(t testing.TB, ep *phx.Endpoint, target string, headers ...string) *client {
	t.Helper()
	c := connect(t, ep)
	c.write(request(target, headers...))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("GET %s: answer %q, want 101", target, head)
	}
	return c
}

// request is the head of a WebSocket handshake.
func request(target string, headers ...string) []byte {
	lines := append([]string{
		"GET " + target + " HTTP/1.1", "Host: example.test:4000", "Upgrade: websocket", "Connection: keep-alive, Upgrade",
		"Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
	}, headers...)
	return []byte(strings.Join(lines, "\r\n") + "\r\n\r\n")
}

func (c *client) write(b []byte) {
	c.t.Helper()
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := c.conn.Write(b); err != nil {
		c.t.Fatalf("write: %v", err)
	}
}

// read adds to c.data what comes next.
func (c *client) read() error {
	b := make([]byte, 16<<10)
	c.conn.SetReadDeadline(time.Now().Add(patience))
	n, err := c.conn.Read(b)
	c.data = append(c.data, b[:n]...)
	return err
}

// head takes the head of an HTTP answer.
func (c *client) head() string {
	c.t.Helper()
	for {
		if i := bytes.Index(c.data, []byte("\r\n\r\n")); i >= 0 {
			head := string(c.data[:i+4])
			c.data = c.data[i+4:]
			return head
		}
		if err := c.read(); err != nil {
			c.t.Fatalf("read an HTTP answer: %v after %q", err, c.data)
		}
	}
}

// mask is the mask of the client's frames.
var mask = [4]byte{0x37, 0xfa, 0x21, 0x3d}

func (c *client) send(op ws.OpCode, payload []byte) {
	c.t.Helper()
	c.write(frame.AppendMasked(nil, op, mask, payload))
}

// say sends messages.
func (c *client) say(texts ...string) {
	c.t.Helper()
	var b []byte
	for _, text := range texts {
		b = frame.AppendMasked(b, ws.OpText, mask, []byte(text))
	}
	c.write(b)
}

// next is the next frame.
func (c *client) next() frame.Frame {
	c.t.Helper()
	f, err := c.tryNext()
	if err != nil {
		c.t.Fatalf("read a frame: %v", err)
	}
	return f
}

func (c *client) tryNext() (frame.Frame, error) {
	cfg := frame.Config{Client: true, MaxFrame: 32 << 20, MaxMessage: 32 << 20}
	for {
		f, ok, err := c.decoder.Next(&cfg, &c.data)
		if err != nil {
			return frame.Frame{}, err
		}
		if ok {
			f.Payload = slices.Clone(f.Payload)
			return f, nil
		}
		if err := c.read(); err != nil {
			return frame.Frame{}, err
		}
	}
}

// message is the text of the next message.
func (c *client) message() string {
	c.t.Helper()
	f := c.next()
	if f.Op != ws.OpText {
		c.t.Fatalf("got a frame with opcode %#x and payload %q, want text", f.Op, f.Payload)
	}
	return string(f.Payload)
}

// want checks that these messages are next.
func (c *client) want(texts ...string) {
	c.t.Helper()
	for _, want := range texts {
		if got := c.message(); !sameJSON(c.t, got, want) {
			c.t.Fatalf("got  %s\nwant %s", got, want)
		}
	}
}

func sameJSON(t testing.TB, a, b string) bool {
	t.Helper()
	if a == b { // large ones are decoded slowly, more so in race builds
		return true
	}
	var x, y any
	if err := errors.Join(json.Unmarshal([]byte(a), &x), json.Unmarshal([]byte(b), &y)); err != nil {
		t.Fatalf("%v in %s or %s", err, a, b)
	}
	return reflect.DeepEqual(x, y)
}

// wantClosed checks that a Close frame with the code is next, and then the end
// of the connection.
func (c *client) wantClosed(code ws.StatusCode) {
	c.t.Helper()
	f := c.next()
	if f.Op != ws.OpClose {
		c.t.Fatalf("got a frame with opcode %#x and payload %q, want Close", f.Op, f.Payload)
	}
	if got, reason := frame.ParseClose(f.Payload); got != code {
		c.t.Fatalf("closed with %d %q, want %d", got, reason, code)
	}
	c.wantEOF()
}

// wantEOF checks that the server ends the connection without another byte.
func (c *client) wantEOF() {
	c.t.Helper()
	if err := c.read(); err != io.EOF || len(c.data) > 0 {
		c.t.Fatalf("read %v and %q, want EOF and nothing", err, c.data)
	}
}

// join joins a topic with join_ref "1".
func (c *client) join(topic string) {
	c.t.Helper()
	c.say(fmt.Sprintf(`["1","1",%q,"phx_join",{}]`, topic))
	c.want(fmt.Sprintf(`["1","1",%q,"phx_reply",{"status":"ok","response":{}}]`, topic))
}

// leave leaves what join has joined.
func (c *client) leave(topic string) {
	c.t.Helper()
	c.say(fmt.Sprintf(`["1","l",%q,"phx_leave",{}]`, topic))
	c.want(fmt.Sprintf(`["1","l",%q,"phx_reply",{"status":"ok","response":{}}]`, topic),
		fmt.Sprintf(`["1","1",%q,"phx_close",{}]`, topic))
}

// heartbeat checks that the answer to a heartbeat is the next thing that comes.
func (c *client) heartbeat() {
	c.t.Helper()
	c.say(`[null,"hb","phoenix","heartbeat",{}]`)
	c.want(`[null,"hb","phoenix","phx_reply",{"status":"ok","response":{}}]`)
}

// hangUp ends the connection: with RST when rudely, else with FIN.
func (c *client) hangUp(rudely bool) {
	if rudely {
		c.conn.(*net.TCPConn).SetLinger(0)
	}
	c.conn.Close()
}

// closeFrame is the payload of a Close frame.
func closeFrame(code uint16) []byte { return binary.BigEndian.AppendUint16(nil, code) }

// talk connects, joins, talks and hangs up as fast as it can. It reports false
// when there is no server to connect to.
func talk(addr string) bool {
	conn, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return false
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	b := request("/socket/websocket?vsn=2.0.0")
	for _, text := range []string{`["1","1","room:1","phx_join",{}]`, `["1","2","room:1","say",{}]`} {
		b = frame.AppendMasked(b, ws.OpText, mask, []byte(text))
	}
	_, _ = conn.Write(b)
	_, _ = io.ReadAtLeast(conn, make([]byte, 1<<10), 200) // of its own: no one else may say anything
	return true
}
