package phx_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// longPolling is the configuration of an endpoint with one mount, at /socket,
// that has long polling. One loop makes it certain what comes first.
func longPolling(window time.Duration, routes ...phx.Route) phx.Config {
	return phx.Config{Loops: 1, Mounts: []phx.Mount{{
		Path: "/socket", Routes: routes, LongPoll: &phx.LongPoll{Window: window},
	}}}
}

// A webConn is one connection of a client that speaks HTTP.
type webConn struct {
	t    testing.TB
	conn net.Conn
	in   *bufio.Reader
}

func dialWeb(t testing.TB, ep *phx.Endpoint) *webConn {
	t.Helper()
	conn := connect(t, ep).conn
	return &webConn{t, conn, bufio.NewReader(conn)}
}

// send sends a request. Its body has a Content-Length unless the headers say
// that it is chunked.
func (c *webConn) send(method, target, body string, headers ...string) {
	c.t.Helper()
	lines := append([]string{method + " " + target + " HTTP/1.1", "Host: example.test:4000"}, headers...)
	if method == "POST" && !slices.Contains(headers, "Transfer-Encoding: chunked") {
		lines = append(lines, fmt.Sprintf("Content-Length: %d", len(body)))
	}
	c.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c.conn, strings.Join(lines, "\r\n")+"\r\n\r\n"+body); err != nil {
		c.t.Fatalf("%s %s: %v", method, target, err)
	}
}

// A polled is an HTTP answer with what long polling has in its body.
type polled struct {
	code     int // HTTP's
	header   http.Header
	body     string
	Status   int
	Token    string
	Messages []string
}

func (c *webConn) receive() (a polled) {
	c.t.Helper()
	a, err := c.tryReceive()
	if err != nil {
		c.t.Fatalf("read an HTTP answer: %v", err)
	}
	return a
}

func (c *webConn) tryReceive() (a polled, err error) {
	c.conn.SetReadDeadline(time.Now().Add(patience))
	resp, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return a, err
	}
	defer resp.Body.Close()
	return polledOf(resp)
}

func polledOf(resp *http.Response) (a polled, err error) {
	body, err := io.ReadAll(resp.Body)
	a.code, a.header, a.body = resp.StatusCode, resp.Header, string(body)
	if err != nil {
		return a, err
	}
	if strings.HasPrefix(resp.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(body, &a)
	}
	return a, err
}

func (c *webConn) do(method, target, body string, headers ...string) polled {
	c.t.Helper()
	c.send(method, target, body, headers...)
	return c.receive()
}

// wantEnd checks that the server ends the connection.
func (c *webConn) wantEnd() {
	c.t.Helper()
	c.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.in.ReadByte(); err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
		c.t.Fatalf("read %v, want the end", err)
	}
}

// A pollClient is a client with a session. Polls and posts have a connection
// each, as in browsers.
type pollClient struct {
	t            testing.TB
	polls, posts *webConn
	target       string // with the token
	token        string
}

const ndjson = "Content-Type: application/x-ndjson"

// openSession makes a session of version 2 at /socket.
func openSession(t testing.TB, ep *phx.Endpoint) *pollClient {
	t.Helper()
	return openSessionAt(t, ep, "/socket/longpoll?vsn=2.0.0")
}

func openSessionAt(t testing.TB, ep *phx.Endpoint, target string, headers ...string) *pollClient {
	t.Helper()
	s := &pollClient{t: t, polls: dialWeb(t, ep), posts: dialWeb(t, ep)}
	a := s.polls.do("GET", target, "", headers...)
	if a.code != 200 || a.Status != 410 || a.Token == "" || len(a.Messages) > 0 {
		t.Fatalf("GET %s: %d %s, want 200 with status 410, a token and no messages", target, a.code, a.body)
	}
	s.token, s.target = a.Token, target+"&token="+a.Token
	return s
}

func (s *pollClient) poll() polled {
	s.t.Helper()
	return s.polls.do("GET", s.target, "")
}

func (s *pollClient) post(lines ...string) polled {
	s.t.Helper()
	return s.posts.do("POST", s.target, strings.Join(lines, "\n"), ndjson)
}

// say posts messages that are all right.
func (s *pollClient) say(lines ...string) {
	s.t.Helper()
	if a := s.post(lines...); a.code != 200 || a.body != `{"status":200}` {
		s.t.Fatalf("POST %q: %d %s, want status 200", lines, a.code, a.body)
	}
}

// want polls until as many messages have come as are wanted, and checks them.
func (s *pollClient) want(texts ...string) {
	s.t.Helper()
	var got []string
	for len(got) < len(texts) {
		a := s.poll()
		if a.code != 200 || a.Status != 200 || a.Token != s.token {
			s.t.Fatalf("GET: %d %s, want status 200 and the token; before that came %q", a.code, a.body, got)
		}
		got = append(got, a.Messages...)
	}
	wantMessages(s.t, got, texts...)
}

// wantStatus polls once, for no messages.
func (s *pollClient) wantStatus(status int) polled {
	s.t.Helper()
	a := s.poll()
	if a.code != 200 || a.Status != status || len(a.Messages) > 0 {
		s.t.Fatalf("GET: %d %s, want status %d", a.code, a.body, status)
	}
	return a
}

func wantMessages(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.EqualFunc(got, want, func(a, b string) bool { return sameJSON(t, a, b) }) {
		t.Fatalf("got messages\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// beat is a heartbeat, beaten its answer.
func beat(ref any) string { return fmt.Sprintf(`[null,"%v","phoenix","heartbeat",{}]`, ref) }

func beaten(ref any) string {
	return fmt.Sprintf(`[null,"%v","phoenix","phx_reply",{"status":"ok","response":{}}]`, ref)
}
