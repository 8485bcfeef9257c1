package phx_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A connection may carry requests for mounts and for the HTTP handler in any
// order, and end as a WebSocket; whoever has it, the other gets it back.
func TestConnectionChangesHands(t *testing.T) {
	for _, ask := range []bool{false, true} {
		t.Run(fmt.Sprintf("with Connect: %v", ask), func(t *testing.T) {
			cfg := longPolling(time.Minute)
			cfg.MaxHTTP = 2
			cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				fmt.Fprint(w, "page ", r.URL.Path, len(body), err)
			})
			remotes := make(chan string, 10)
			if ask {
				cfg.Mounts[0].Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error { remotes <- r.RemoteAddr; return nil }
			}
			ep := startConfig(t, cfg)
			for range 3 { // MaxHTTP is not used up
				c := dialWeb(t, ep)
				page := func(path, body string) {
					t.Helper()
					want := fmt.Sprint("page ", path, len(body), nil)
					if a := c.do("POST", path, body); a.code != 200 || a.body != want {
						t.Fatalf("POST %s: %d %q, want %q", path, a.code, a.body, want)
					}
				}
				page("/a", "x")
				s := &pollClient{t: t, polls: c, posts: c}
				s.token = c.do("GET", "/socket/longpoll?vsn=2.0.0", "").Token
				s.target = "/socket/longpoll?vsn=2.0.0&token=" + s.token
				s.say(beat(1))
				s.want(beaten(1))
				page("/b", strings.Repeat("x", 300_000))
				s.say(beat(2) + strings.Repeat("\n", 300_000))
				page("/c", "")
				chunked := "3\r\n" + beat(3)[:3] + "\r\n" + fmt.Sprintf("%x", len(beat(3))-3) + "\r\n" + beat(3)[3:] + "\r\n0\r\n\r\n"
				for range 2 { // on the loop, and when net/http has the connection
					if a := c.do("POST", s.target, chunked, ndjson, "Transfer-Encoding: chunked"); a.body != `{"status":200}` {
						t.Fatalf("chunked POST: %d %s, want status 200", a.code, a.body)
					}
					page("/d", "")
				}
				s.want(beaten(2), beaten(3), beaten(3))
				page("/e", "")

				up := &client{t: t, conn: c.conn}
				up.write(append(request("/socket/websocket?vsn=2.0.0"), masked(0x1, beat(4))...)) // not waiting for the answer
				if head := up.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
					t.Fatalf("upgrade: %q, want 101", head)
				}
				up.want(beaten(4))
				up.heartbeat()
				if ask {
					for range 2 {
						if got := within(t, "Connect", remotes); got != c.conn.LocalAddr().String() {
							t.Errorf("Connect got a request from %s, want %s", got, c.conn.LocalAddr())
						}
					}
				}
			}
		})
	}
}

// Requests may come in any pieces, and before the answers to those before them.
func TestRequestsInPieces(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	post := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: h\r\nContent-Length: %d\r\n\r\n%s", s.target, len(beat(1)), beat(1))
	bad := "GET /socket/longpoll?vsn=9 HTTP/1.1\r\nHost: h\r\n\r\n"
	all := post + bad + post + fmt.Sprintf("GET %s HTTP/1.1\r\nHost: h\r\n\r\n", s.target) + bad
	for cut := 0; cut < len(all); cut += 7 {
		c := dialWeb(t, ep)
		io.WriteString(c.conn, all[:cut])
		if cut%2 == 0 { // else the kernel may put the pieces together again
			s.posts.do("OPTIONS", s.target, "")
		}
		io.WriteString(c.conn, all[cut:])
		for i, want := range []int{200, 403, 200, 200, 403} {
			if a := c.receive(); a.code != 200 || a.Status != want {
				t.Fatalf("cut at %d: answer %d is %d %q, want status %d", cut, i, a.code, a.body, want)
			}
		}
		c.conn.Close()
	}
}

// A request behind a poll that waits is answered after it.
func TestRequestBehindPoll(t *testing.T) {
	t.Parallel()
	ep := startConfig(t, longPolling(time.Minute))
	s := openSession(t, ep)
	s.polls.send("GET", s.target, "")
	for i := range 150 { // answered one by one, not one inside the other
		s.polls.send("OPTIONS", s.target, "", fmt.Sprint("Access-Control-Request-Headers: h", i))
	}
	s.polls.send("POST", s.target, beat(2))
	s.polls.send("GET", s.target, "")
	s.polls.send("GET", s.target+"&token=none", "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	s.say(beat(1))
	if a := s.polls.receive(); a.Status != 200 {
		t.Errorf("GET: %s, want the message", a.body)
	}
	for i := range 150 {
		if got := s.polls.receive().header.Get("Access-Control-Allow-Headers"); got != fmt.Sprint("h", i) {
			t.Fatalf("OPTIONS %d: header %q, want h%d", i, got, i)
		}
	}

	for i, want := range []int{200, 200, 410} {
		if a := s.polls.receive(); a.Status != want {
			t.Errorf("request %d behind them: %s, want status %d", i, a.body, want)
		}
	}

	s.polls.send("GET", s.target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	io.WriteString(s.polls.conn, strings.Repeat("x", 70<<10)) // too much to keep
	s.polls.wantEnd()
	eventually(t, "the poll is gone", func() bool { return ep.WaitingPolls() == 0 })
}

// What requests may look like.
func TestRequestForms(t *testing.T) {
	t.Parallel()
	cfg := longPolling(time.Minute)
	cfg.HandshakeTimeout = 2 * time.Second
	cfg.IncomingTimeout = 2 * time.Second
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(beat(1)))
	for _, tt := range []struct {
		name, request string
		code, status  int
		ends          bool // the connection does
	}{
		{"HTTP/1.1", "GET /socket/longpoll?vsn=9 HTTP/1.1\r\nHost: h\r\n\r\n", 200, 403, false},
		{"to be closed", "GET /socket/longpoll?vsn=9 HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n", 200, 403, true},
		{"HTTP/1.0", "GET /socket/longpoll?vsn=9 HTTP/1.0\r\n\r\n", 200, 403, true},
		{"HTTP/1.0, to be kept", "GET /socket/longpoll?vsn=9 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", 200, 403, true},
		{"absolute", "GET http://h/socket/longpoll?vsn=9 HTTP/1.1\r\nHost: h\r\n\r\n", 200, 403, false},
		{"absolute upgrade", strings.Replace(string(request("/socket/websocket")), "GET ", "GET http://h", 1), 101, 0, false},
		{"a GET with a body", "GET /socket/longpoll?vsn=9 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nabc", 200, 403, false},
		{"no HTTP", "GET /socket/longpoll hello\r\n\r\n", 400, 0, true},
		{"a header without a colon", "GET /socket/longpoll HTTP/1.1\r\nHost\r\n\r\n", 400, 0, true},
		{"two lengths", "POST /socket/longpoll HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc", 400, 0, true},
		{"a negative length", "POST /socket/longpoll HTTP/1.1\r\nHost: h\r\nContent-Length: -3\r\n\r\n", 400, 0, true},
		{"a head that ends sooner for some", "POST /socket/longpoll HTTP/1.1\nHost: h\nContent-Length: 0\n\nGET / HTTP/1.1\r\n\r\n", 400, 0, true},
		{"half a head", "GET /socket/longpoll", 0, 0, true},
		{"half a body", "POST " + s.target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\nab", 0, 0, true},
		{"a long body", "POST " + s.target + " HTTP/1.1\r\nHost: h\r\n" + length + "\r\n" + beat(1), 200, 200, false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := dialWeb(t, ep)
			io.WriteString(c.conn, tt.request)
			if tt.code != 0 {
				if a := c.receive(); a.code != tt.code || a.Status != tt.status {
					t.Errorf("answer %d %q, want %d with status %d", a.code, a.body, tt.code, tt.status)
				}
			}
			if tt.ends {
				c.wantEnd()
			} else if tt.code == 200 {
				if a := c.do("OPTIONS", s.target, ""); a.code != 200 {
					t.Errorf("the next request: %d, want 200", a.code)
				}
			}
		})
	}

	c := dialWeb(t, ep)
	io.WriteString(c.conn, "POST "+s.target+" HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n"+length+"\r\n")
	if a := c.receive(); a.code != 100 {
		t.Errorf("Expect: 100-continue: %d, want 100", a.code)
	}
	io.WriteString(c.conn, beat(1))
	if a := c.receive(); a.Status != 200 {
		t.Errorf("the POST itself: %d %q, want status 200", a.code, a.body)
	}
}

// Over Dial, and so over TLS, it is the same.
func TestLongPollOverPipe(t *testing.T) {
	ep := startConfig(t, longPolling(time.Minute))
	conn, err := ep.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	web := http.Client{Transport: &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }, MaxConnsPerHost: 1}}
	defer web.CloseIdleConnections()
	for _, path := range []string{"/", "/socket/longpoll", "/", "/socket/longpoll"} {
		resp, err := web.Get("http://h" + path)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		if want := map[string]int{"/": 404, "/socket/longpoll": 200}[path]; resp.StatusCode != want {
			t.Errorf("GET %s: %d, want %d", path, resp.StatusCode, want)
		}
	}
}
