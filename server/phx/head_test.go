package phx_test

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/http1/http1test"
	"github.com/roost-rt/roost/server/phx"
)

// doors is an endpoint with every way in: of what HTTP gets it says so.
func doors(t *testing.T) *phx.Endpoint {
	t.Helper()
	cfg := longPolling(time.Minute)
	cfg.MaxHTTP = 1 << 10
	cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, err := io.Copy(io.Discard, r.Body)
		fmt.Fprintln(w, "page", err)
	})
	return startConfig(t, cfg)
}

// Every door refuses the same requests, with the same answer, and ends the
// connection: what was behind the head, perhaps as its body, is never a request.
func TestDoorsRefuse(t *testing.T) {
	ep := doors(t)
	for _, door := range []struct{ name, path, fields string }{
		{"long polling", "/socket/longpoll?vsn=2.0.0", ""},
		{"upgrade", "/socket/websocket?vsn=2.0.0", "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"},
		{"HTTP", "/", ""},
	} {
		t.Run(door.name, func(t *testing.T) {
			for _, tt := range http1test.Cases {
				if tt.Status != 0 {
					refused(t, ep, tt, through(door.path, door.fields, tt.Request))
				}
			}
		})
	}
}

// So it is for the requests of a connection that net/http has got by an earlier one,
// but that all of them are 400 there.
func TestDoorsRefuseLater(t *testing.T) {
	ep := doors(t)
	for _, path := range []string{"/", "/socket/longpoll?vsn=2.0.0"} {
		for _, tt := range http1test.Cases {
			if tt.Status == 0 {
				continue
			}
			c := dialWeb(t, ep)
			if a := c.do("GET", "/", ""); a.code != 200 {
				t.Fatalf("a page: %d", a.code)
			}
			io.WriteString(c.conn, through(path, "", tt.Request)+"GET /behind HTTP/1.1\r\nHost: h\r\n\r\n")
			// net/http resets the connection if it has not read all, perhaps before we have.
			if a, err := c.tryReceive(); a.code != 400 {
				t.Errorf("%s: %q: %d %q, %v, want 400", tt.Name, tt.Request, a.code, a.body, err)
			} else if err == nil {
				c.wantEnd()
			}
			c.conn.Close()
		}
	}
}

// through makes the request of a case one for a door, where its path is /.
func through(path, fields, request string) string {
	line, rest, found := strings.Cut(request, "\r\n")
	if !found || line == "" || fields != "" && (strings.HasPrefix(rest, " ") || strings.Contains(request, "Sec-") || strings.Contains(request, "Upgrade")) {
		return request // with a field of the door's before it would be another case
	}
	method, target, _ := strings.Cut(line, " ")
	if strings.HasPrefix(target, "/ ") {
		line = method + " " + path + target[1:]
	}
	return line + "\r\n" + fields + rest
}

// refused checks that a request is refused, and that a page asked for behind it
// does not come.
func refused(t *testing.T, ep *phx.Endpoint, tt http1test.Case, request string) {
	t.Helper()
	c := dialWeb(t, ep)
	defer c.conn.Close()
	io.WriteString(c.conn, request+"GET /behind HTTP/1.1\r\nHost: h\r\n\r\n")
	switch a, err := c.tryReceive(); {
	case err != nil:
		t.Errorf("%s: %q: no answer: %v", tt.Name, request, err)
	case a.code != tt.Status:
		t.Errorf("%s: %q: %d %q, want %d", tt.Name, request, a.code, a.body, tt.Status)
	default:
		c.wantEnd()
	}
}

// What a strict server must not refuse gets in; for upgrades see TestUpgradeForms.
func TestDoorsAccept(t *testing.T) {
	ep := doors(t)
	for _, tt := range http1test.Cases {
		if tt.Status != 0 {
			continue
		}
		for _, path := range []string{"/socket/longpoll?vsn=9", "/"} {
			c := dialWeb(t, ep)
			io.WriteString(c.conn, through(path, "", tt.Request)+"0\r\n\r\n")
			if a := c.receive(); a.code != 200 {
				t.Errorf("%s at %s: %d %q, want 200", tt.Name, path, a.code, a.body)
			}
			c.conn.Close()
		}
	}
}

// An upgrade is good in whatever form HTTP has for it, and has no body.
func TestUpgradeForms(t *testing.T) {
	ep := doors(t)
	valid := string(request("/socket/websocket?vsn=2.0.0"))
	line, fields, _ := strings.Cut(valid, "\r\n")
	for _, tt := range []struct {
		name, request string
		status        int
	}{
		{"two Connection fields", strings.Replace(valid, "keep-alive, Upgrade", "keep-alive\r\nConnection: x, upgrade", 1), 101},
		{"no upgrade in two Connection fields", strings.Replace(valid, "keep-alive, Upgrade", "keep-alive\r\nConnection: x", 1), 400},
		{"absolute form", strings.Replace(valid, "GET ", "GET http://other", 1), 101},
		{"fields in lower case", line + "\r\n" + strings.ToLower(fields), 101},
		{"a body", strings.Replace(valid, "Host:", "Content-Length: 5\r\nHost:", 1) + "hello", 400},
		{"a chunked body", strings.Replace(valid, "Host:", "Transfer-Encoding: chunked\r\nHost:", 1) + "0\r\n\r\n", 400},
		{"a space before a colon", strings.Replace(valid, "Host:", "X : b\r\nHost:", 1), 400},
		{"an origin twice", strings.Replace(valid, "Host:", "Origin: http://evil.test\r\nOrigin: http://example.test:4000\r\nHost:", 1), 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connect(t, ep)
			c.write([]byte(tt.request))
			if head := c.head(); !strings.HasPrefix(head, fmt.Sprintf("HTTP/1.1 %d ", tt.status)) {
				t.Errorf("answer %q, want status %d", head, tt.status)
			}
		})
	}
}

// The host of the target counts, not that of the field, for both transports (RFC
// 9112 §3.2.2); and of two auth tokens none does.
func TestSameMeaning(t *testing.T) {
	type seen struct {
		host, cookie, token string
		header              string
	}
	calls := make(chan seen, 1)
	cfg := longPolling(time.Minute)
	cfg.Mounts[0].AuthToken = true
	cfg.Mounts[0].Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error {
		token, _ := phx.AuthToken(r)
		calls <- seen{r.Host, fmt.Sprint(r.Cookies()), token, r.Header.Get("Host")}
		return nil
	}
	ep := startConfig(t, cfg)
	const common = "Cookie: a=1; b=2\r\nCookie: c=3\r\nOrigin: http://target.test\r\n"
	socket := strings.Replace(string(request("http://target.test/socket/websocket?vsn=2.0.0",
		"Sec-WebSocket-Protocol: phoenix, base64url.bearer.phx.YQ", "Sec-WebSocket-Protocol: base64url.bearer.phx.Yg")), "Host:", common+"Host:", 1)
	poll := "GET http://target.test/socket/longpoll?vsn=2.0.0 HTTP/1.1\r\n" + common + "Host: h\r\nX-Phoenix-AuthToken: a\r\nX-Phoenix-AuthToken: b\r\n\r\n"
	for _, text := range []string{socket, poll} {
		connect(t, ep).write([]byte(text))
		if got, want := within(t, "Connect", calls), (seen{"target.test", "[a=1 b=2 c=3]", "", ""}); got != want {
			t.Errorf("%q: Connect saw %+v, want %+v", text, got, want)
		}
	}
}
