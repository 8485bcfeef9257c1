package phxclient_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phxclient"
)

// A script is a server that does what a test says.
type script struct {
	t        testing.TB
	listener net.Listener
}

func newScript(t testing.TB) script {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(patience))
	return script{t, l}
}

// dial connects a client, and returns the server's end, too.
func (s script) dial(cfg phxclient.Config) (*phxclient.Client, *peer) {
	s.t.Helper()
	accepted := make(chan *peer, 1)
	go func() { accepted <- s.accept() }() // ends before dial does
	c := dialURL(s.t, "ws://"+s.listener.Addr().String()+"/socket", cfg)
	p := <-accepted
	if p == nil {
		s.t.Fatal("no handshake")
	}
	s.t.Cleanup(func() { p.conn.Close() }) // before the client is, which would wait for a Close frame
	return c, p
}

// accept answers a handshake. It returns nil if there is none.
func (s script) accept() *peer {
	conn, err := s.listener.Accept()
	if err != nil {
		return nil
	}
	s.t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(patience))
	in := bufio.NewReader(conn)
	r, err := http.ReadRequest(in)
	if err != nil {
		return nil
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	return &peer{t: s.t, conn: conn, in: in}
}

// expectReconnect waits for another connection, and ends it.
func (s script) expectReconnect() {
	s.t.Helper()
	p := s.accept()
	if p == nil {
		s.t.Fatal("the client does not connect again")
	}
	s.listener.Close()
	p.conn.Close()
}

// A peer is the server's end of a connection.
type peer struct {
	t       testing.TB
	conn    net.Conn
	in      *bufio.Reader
	decoder frame.Decoder
	data    []byte
}

func (p *peer) send(text string) { p.write(frame.Append(nil, 1, []byte(text))) }

func (p *peer) write(b []byte) {
	p.t.Helper()
	if _, err := p.conn.Write(b); err != nil {
		p.t.Fatal(err)
	}
}

// next is the next frame of the client, or its end with opcode 0.
func (p *peer) next() (op byte, payload string) {
	p.t.Helper()
	cfg := frame.Config{}
	for {
		f, ok, err := p.decoder.Next(&cfg, &p.data)
		if err != nil {
			p.t.Fatal(err)
		}
		if ok {
			return byte(f.Op), string(f.Payload)
		}
		b := make([]byte, 4096)
		n, err := p.in.Read(b)
		if p.data = b[:n]; n == 0 && err != nil {
			return 0, err.Error()
		}
	}
}

// expect reads a message: join_ref, ref, topic and event, and returns its refs.
func (p *peer) expect(topic, event string) (joinRef, ref string) {
	p.t.Helper()
	op, text := p.next()
	var m [5]any
	if err := json.Unmarshal([]byte(text), &m); err != nil || op != 1 || m[2] != topic || m[3] != event {
		p.t.Fatalf("frame %d %s, want %s to %s", op, text, event, topic)
	}
	joinRef, _ = m[0].(string)
	ref, _ = m[1].(string)
	return joinRef, ref
}

// expectClose reads a Close frame with a code.
func (p *peer) expectClose(code int) {
	p.t.Helper()
	op, payload := p.next()
	if got, _ := frame.ParseClose([]byte(payload)); op != 8 || int(got) != code {
		p.t.Fatalf("frame %d %q, want a Close with %d", op, payload, code)
	}
}

// answer accepts a join.
func (p *peer) answer(joinRef string) {
	p.t.Helper()
	p.send(fmt.Sprintf(`[%q,%q,"a","phx_reply",{"status":"ok","response":{"join":%s}}]`, joinRef, joinRef, joinRef))
}

// Messages of an earlier join are outdated, and so are replies that come twice; an
// error of this join has it tried again (spec §1.11, §9.3).
func TestOutdated(t *testing.T) {
	t.Parallel()
	c, server := newScript(t).dial(phxclient.Config{})
	a := c.Channel("a", nil)
	messages := read(t, a)
	go a.Join(soon(t)) // its result is a message, too
	joinRef, _ := server.expect("a", "phx_join")
	server.answer(joinRef)
	for _, event := range []string{"phx_error", "phx_close", "n"} {
		server.send(fmt.Sprintf(`["99","99","a",%q,{}]`, event))
	}
	server.answer(joinRef) // again
	server.send(`[null,null,"b","n",{}]`)
	server.send(`[null,null,"a","n",{}]`)
	messages.expect(phxclient.Joined)
	messages.expect("n")
	server.send(fmt.Sprintf(`[%q,%q,"a","phx_error",{}]`, joinRef, joinRef))
	messages.expect(phxclient.Lost)
	second, _ := server.expect("a", "phx_join")
	server.send(fmt.Sprintf(`[null,%q,"a","phx_reply",{"status":"error","response":{"reason":"unmatched topic"}}]`, second))
	third, _ := server.expect("a", "phx_join")
	if joinRef == second || second == third {
		t.Errorf("joins with refs %s, %s, %s", joinRef, second, third)
	}
	server.answer(third)
	messages.expect(phxclient.Joined)
	server.send(fmt.Sprintf(`[%q,%q,"a","phx_close",{}]`, third, third))
	messages.end()
}

// A join without an answer is taken back before the next one (spec §9.3).
func TestLateJoin(t *testing.T) {
	t.Parallel()
	c, server := newScript(t).dial(phxclient.Config{})
	a := c.Channel("a", nil)
	joined := make(chan error)
	go func() { // ends before the test does
		_, err := a.Join(soon(t))
		joined <- err
	}()
	first, _ := server.expect("a", "phx_join")
	phxclient.Late(a)
	left, _ := server.expect("a", "phx_leave")
	second, _ := server.expect("a", "phx_join")
	if left != first || second == first {
		t.Errorf("left %s and joined %s, after %s", left, second, first)
	}
	server.answer(first) // too late
	server.answer(second)
	if err := <-joined; err != nil {
		t.Error(err)
	}
}

// Who gives a join up takes it back, and may join again.
func TestJoinGivenUp(t *testing.T) {
	t.Parallel()
	c, server := newScript(t).dial(phxclient.Config{})
	a := c.Channel("a", nil)
	ctx, cancel := context.WithCancel(t.Context())
	joined := make(chan error)
	join := func(ctx context.Context) { // ends before the test does
		_, err := a.Join(ctx)
		joined <- err
	}
	go join(ctx)
	first, _ := server.expect("a", "phx_join")
	cancel()
	if err := <-joined; !errors.Is(err, context.Canceled) {
		t.Errorf("Join = %v, want context.Canceled", err)
	}
	if left, _ := server.expect("a", "phx_leave"); left != first {
		t.Errorf("left %s, want %s", left, first)
	}
	go join(soon(t))
	second, _ := server.expect("a", "phx_join")
	server.answer(first)
	server.answer(second)
	if err := <-joined; err != nil {
		t.Error(err)
	}
}

// A server that does not answer heartbeats is left with 1000 (spec §1.9).
func TestHeartbeat(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	c, server := s.dial(phxclient.Config{Heartbeat: 20 * time.Millisecond})
	_, ref := server.expect("phoenix", "heartbeat")
	server.send(fmt.Sprintf(`[null,%q,"phoenix","phx_reply",{"status":"ok","response":{}}]`, ref))
	for { // another one, unless the answer came too late
		op, payload := server.next()
		if op == 1 {
			continue
		}
		if code, _ := frame.ParseClose([]byte(payload)); op != 8 || code != 1000 {
			t.Errorf("frame %d %q, want a Close with 1000", op, payload)
		}
		break
	}
	s.expectReconnect()
	c.Close()
}

// How connections end: the client answers a Close frame, and says what was wrong.
func TestClosedByServer(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name string
		sent []byte
		code int
	}{
		{"1000", frame.AppendClose(nil, 1000, ""), 1000},
		{"1012", frame.AppendClose(nil, 1012, "restart"), 1012},
		{"no code", frame.AppendClose(nil, 1005, ""), 1005},
		{"masked frame", frame.AppendMasked(nil, 1, [4]byte{1, 2, 3, 4}, []byte("[]")), 1002},
		{"text that is not UTF-8", frame.Append(nil, 1, []byte("\xff")), 1007},
		{"no message", frame.Append(nil, 1, []byte("[]")), 1007},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newScript(t)
			c, server := s.dial(phxclient.Config{})
			server.write(frame.Append(nil, 9, []byte("ping")))
			if op, payload := server.next(); op != 10 || payload != "ping" {
				t.Errorf("frame %d %q, want a pong", op, payload)
			}
			server.write(tt.sent)
			server.expectClose(tt.code)
			if op, _ := server.next(); op != 0 {
				t.Errorf("frame %d after the Close", op)
			}
			s.expectReconnect()
			c.Close()
		})
	}
}

// Close sends what waits before its Close frame. It has to win no race for that, so many
// try.
func TestCloseFlushes(t *testing.T) {
	t.Parallel()
	s := newScript(t)
	for range 50 {
		c, server := s.dial(phxclient.Config{})
		a := c.Channel("a", nil)
		joined := make(chan error)
		go func() { // ends before the test does
			_, err := a.Join(soon(t))
			joined <- err
		}()
		ref, _ := server.expect("a", "phx_join")
		server.answer(ref)
		if err := <-joined; err != nil {
			t.Fatal(err)
		}
		if err := a.Push(soon(t), "last", nil); err != nil {
			t.Fatal(err)
		}
		closed := make(chan struct{})
		go func() { defer close(closed); c.Close() }() // ends before the test does
		server.expect("a", "last")
		server.expectClose(1000)
		server.write(frame.AppendClose(nil, 1000, ""))
		<-closed
	}
}
