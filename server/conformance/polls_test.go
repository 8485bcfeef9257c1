package main_test

import (
	"encoding/base64"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
)

const ndjson = "Content-Type: application/x-ndjson"

// An answer is one to an HTTP request. Long polling has its own in the body.
type answer struct {
	code     int // HTTP's
	header   http.Header
	body     string
	Status   int
	Token    string
	Messages []string
}

// newHTTP is an HTTP client that keeps its connections until the end of the test.
func newHTTP(t *testing.T) *http.Client {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, Timeout: 2 * patience}
}

// ask does an HTTP request. headers are "Name: value" lines.
func ask(t *testing.T, c *http.Client, method, url, body string, headers ...string) (a answer) {
	t.Helper()
	a, err := tryAsk(t, c, method, url, body, headers...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func tryAsk(t *testing.T, c *http.Client, method, url, body string, headers ...string) (a answer, err error) {
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		return a, err
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Add(name, value)
	}
	response, err := c.Do(r)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	a = answer{code: response.StatusCode, header: response.Header, body: string(data)}
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(data, &a)
	}
	return a, err
}

// A pollClient is a session of long polling, as spec §3 has it.
type pollClient struct {
	http   *http.Client
	url    string // with the token
	token  string
	unread []string
}

// openPoll makes a session.
func openPoll(t *testing.T, addr, target string, headers ...string) *pollClient {
	t.Helper()
	c := &pollClient{http: newHTTP(t), url: "http://" + addr + target}
	a := ask(t, c.http, "GET", c.url, "", headers...)
	if a.code != http.StatusOK || a.Status != http.StatusGone || a.Token == "" || len(a.Messages) > 0 {
		t.Fatalf("GET %s: %d %s, want 200 with status 410, a token and no messages", target, a.code, a.body)
	}
	if !strings.Contains(c.url, "?") {
		c.url += "?"
	}
	c.token = a.Token
	c.url += "&token=" + c.token
	return c
}

func (c *pollClient) get(t *testing.T) answer {
	t.Helper()
	return ask(t, c.http, "GET", c.url, "")
}

// post sends lines, of which some may be base64.
func (c *pollClient) post(t *testing.T, lines ...string) answer {
	t.Helper()
	return ask(t, c.http, "POST", c.url, strings.Join(lines, "\n"), ndjson)
}

// send sends one message: V2's as a line, V1's, which are objects, alone.
func (c *pollClient) send(t *testing.T, op ws.OpCode, payload []byte) {
	t.Helper()
	text, contentType := string(payload), ndjson
	switch {
	case op == ws.OpBinary:
		text = base64.StdEncoding.EncodeToString(payload)
	case text[0] == '{':
		contentType = "Content-Type: application/json"
	}
	if a := ask(t, c.http, "POST", c.url, text, contentType); a.Status != http.StatusOK {
		t.Fatalf("POST %s: %d %s, want status 200", text, a.code, a.body)
	}
}

// sessionGone is the code that official clients give to the end of a session
// (spec §3.8): on the wire there is none.
const sessionGone = 3410

// receive polls for the next message. The end of the session is a Close frame.
func (c *pollClient) receive(t *testing.T) frame.Frame {
	t.Helper()
	for deadline := time.Now().Add(patience); len(c.unread) == 0; {
		a := c.get(t)
		switch {
		case a.Status == http.StatusGone:
			return frame.Frame{Op: ws.OpClose, Payload: []byte{sessionGone >> 8, sessionGone & 0xff}}
		case a.Status == http.StatusNoContent && time.Now().After(deadline):
			t.Fatal("receive: no message has come")
		case a.Status != http.StatusOK && a.Status != http.StatusNoContent:
			t.Fatalf("GET: %d %s", a.code, a.body)
		}
		c.unread = a.Messages
	}
	text := c.unread[0]
	c.unread = c.unread[1:]
	return frame.Frame{Op: ws.OpText, Payload: []byte(text)}
}

// goodbye sees that nothing is left: the answer to a heartbeat would come after
// it. Long polling has no way to say that a session is over.
func (c *pollClient) goodbye(t *testing.T, name string) {
	t.Helper()
	beat := `{"topic":"phoenix","event":"heartbeat","payload":{},"ref":"bye"}`
	if strings.Contains(c.url, "vsn=2") {
		beat = `[null,"bye","phoenix","heartbeat",{}]`
	}
	c.send(t, ws.OpText, []byte(beat))
	if got := c.receive(t); !strings.Contains(string(got.Payload), `"bye"`) || len(c.unread) > 0 {
		t.Errorf("%s got %s %s, which it did not expect", name, show(got), c.unread)
	}
}
