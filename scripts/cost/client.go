package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/roost-rt/roost/server/frame"
)

const (
	websocket = "/socket/websocket?vsn=2.0.0"
	longpoll  = "/socket/longpoll?vsn=2.0.0"
	lobby     = "room:lobby"
)

// A conn is a connection to the server.
type conn struct {
	net.Conn
	host string
	in   *bufio.Reader
}

// dial connects. Each handshake is a full one: without a cache there are no
// sessions to resume.
func dial(addr string, secure bool) (*conn, error) {
	tcp, err := net.DialTimeout("tcp", addr, patience)
	if err != nil {
		return nil, err
	}
	if err := tcp.SetDeadline(time.Now().Add(patience)); err != nil {
		tcp.Close()
		return nil, err
	}
	if secure {
		tcp = tls.Client(tcp, &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS13})
	}
	return &conn{tcp, addr, bufio.NewReaderSize(tcp, 1024)}, nil
}

// do makes a request and returns its answer.
func (c *conn) do(method, path, headers, body string) (*http.Response, []byte, error) {
	if method == "POST" {
		headers += fmt.Sprintf("Content-Type: application/x-ndjson\r\nContent-Length: %d\r\n", len(body))
	}
	if _, err := fmt.Fprintf(c, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n%s", method, path, c.host, headers, body); err != nil {
		return nil, nil, err
	}
	answer, err := http.ReadResponse(c.in, nil)
	if err != nil || answer.StatusCode == http.StatusSwitchingProtocols {
		return answer, nil, err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	return answer, text, err
}

// upgrade makes it a WebSocket.
func (c *conn) upgrade() error {
	answer, _, err := c.do("GET", websocket, "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "")
	if err != nil {
		return fmt.Errorf("upgrade: %w", err)
	}
	if answer.StatusCode != http.StatusSwitchingProtocols {
		return fmt.Errorf("upgrade: status %s", answer.Status)
	}
	return nil
}

// send sends a message of a channel that was joined with join_ref 1.
func (c *conn) send(topic, event, payload string) error {
	message := fmt.Sprintf(`["1","1",%q,%q,%s]`, topic, event, payload)
	_, err := c.Write(frame.AppendMasked(nil, 1, [4]byte{}, []byte(message)))
	return err
}

// receive returns the payload of the next frame, whatever it is: servers send
// neither masks nor, to clients who have little to read, more than 64 KiB.
func (c *conn) receive() ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(c.in, head[:2]); err != nil {
		return nil, err
	}
	size := int(head[1])
	if size == 126 { // RFC 6455 §5.2
		if _, err := io.ReadFull(c.in, head[2:]); err != nil {
			return nil, err
		}
		size = int(head[2])<<8 | int(head[3])
	}
	if op := head[0] & 15; op == 8 || size == 127 {
		return nil, fmt.Errorf("a frame with opcode %d and length %d", op, size)
	}
	payload := make([]byte, size)
	_, err := io.ReadFull(c.in, payload)
	return payload, err
}

// join joins a topic. From then on the connection has no deadline.
func (c *conn) join(topic string) error {
	if err := c.send(topic, "phx_join", "{}"); err != nil {
		return err
	}
	answer, err := c.receive()
	if err == nil && !bytes.Contains(answer, []byte(`"ok"`)) {
		err = fmt.Errorf("the answer is %s", answer)
	}
	if err != nil {
		return fmt.Errorf("join: %w", err)
	}
	return c.SetDeadline(time.Time{})
}

// A session is one of long polling.
type session struct {
	*conn
	target string
}

// newSession opens a session and joins the lobby.
func newSession(addr string) (*session, error) {
	c, err := dial(addr, false)
	if err != nil {
		return nil, err
	}
	s := &session{c, longpoll}
	text, err := s.ask("GET", "")
	if err == nil {
		var created struct{ Token string }
		err = json.Unmarshal(text, &created)
		s.target += "&token=" + url.QueryEscape(created.Token)
	}
	if err == nil {
		_, err = s.ask("POST", `["1","1","`+lobby+`","phx_join",{}]`)
	}
	if err == nil {
		err = s.SetDeadline(time.Time{})
	}
	if err != nil {
		s.Close()
		return nil, fmt.Errorf("long poll: %w", err)
	}
	return s, nil
}

// ask makes one request of a session, on a new connection if the server has closed
// the last one.
func (s *session) ask(method, body string) ([]byte, error) {
	answer, text, err := s.do(method, s.target, "", body)
	if err != nil {
		return nil, err
	}
	known := strings.Contains(s.target, "&token=")
	if gone := bytes.Contains(text, []byte(`"status":410`)); answer.StatusCode != http.StatusOK || gone == known {
		return nil, fmt.Errorf("status %s, %s", answer.Status, text)
	}
	if answer.Close {
		s.Close()
		if s.conn, err = dial(s.host, false); err == nil {
			err = s.SetDeadline(time.Time{})
		}
	}
	return text, err
}
