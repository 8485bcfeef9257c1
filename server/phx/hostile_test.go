package phx_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
	"github.com/roost-rt/roost/server/token"
	"github.com/roost-rt/roost/server/wire"
)

// A client that leaves while Connect is asked leaves nothing behind.
func TestClientGoneDuringConnect(t *testing.T) {
	var connected atomic.Int32
	in, out := make(chan bool), make(chan bool)
	ep := startConfig(t, phx.Config{
		Telemetry: &phx.Telemetry{Connected: func(e phx.ConnectEvent) {
			if e.Err == nil {
				connected.Add(1)
			}
		}},
		Mounts: []phx.Mount{{
			Path: "/socket",
			Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error {
				s.SetID("users:1")
				in <- true
				<-out
				return s.Subscribe("news")
			},
			Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
		}},
	})
	for range 20 {
		c := connect(t, ep)
		c.write(request("/socket/websocket?vsn=2.0.0"))
		<-in
		c.say(`["1","1","a","phx_join",{}]`)
		c.hangUp(true)
		eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
		out <- true
	}
	go func() { <-in; out <- true }() // for the last one, which stays
	dialAt(t, ep, "/socket/websocket?vsn=2.0.0").heartbeat()
	if ids, news, joined := ep.Subscribers("users:1"), ep.Subscribers("news"), ep.Subscribers("a"); ids != 1 || news != 1 || joined != 0 || connected.Load() != 1 {
		t.Errorf("%d ids, %d relays, %d channels, %d connected, want only those of the client that stays", ids, news, joined, connected.Load())
	}
}

// A session whose client leaves while CheckOrigin is asked ends as others do.
func TestClientGoneDuringCheckOrigin(t *testing.T) {
	var hold atomic.Bool
	in, out := make(chan bool), make(chan bool)
	cfg := longPolling(100 * time.Millisecond)
	cfg.Mounts[0].CheckOrigin = func(*url.URL, string) bool {
		if hold.Load() {
			in <- true
			<-out
		}
		return true
	}
	ep := startConfig(t, cfg)
	s := openSession(t, ep)
	hold.Store(true)
	c := dialWeb(t, ep)
	c.send("GET", s.target, "", "Origin: http://x.test")
	<-in
	c.conn.(*net.TCPConn).SetLinger(0)
	for _, conn := range []net.Conn{c.conn, s.polls.conn, s.posts.conn} {
		conn.Close()
	}
	eventually(t, "the connections are gone", func() bool { return ep.Stats().Connections == 0 })
	out <- true
	eventually(t, "the session is gone", func() bool { return ep.Stats().Sockets == 0 })
}

// A head that ends with a bare LF is refused, wherever it ends: a proxy would see
// two requests where this server sees one.
func TestBareLF(t *testing.T) {
	ep := startConfig(t, longPolling(time.Second))
	for _, at := range []int{100, 4000, 4095, 4096, 4097, 8192} {
		start := "GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\nX: "
		first := start + strings.Repeat("x", at-len(start)-2) + "\n\n"
		c := connect(t, ep)
		c.write([]byte(first + "GET /admin HTTP/1.1\r\nHost: a\r\n\r\n"))
		if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 400 ") {
			t.Errorf("bare LF at %d: %q, want 400", at, head)
		}
	}
}

// A session that is begun with the values of another has a secret of its own.
func TestRenewedSession(t *testing.T) {
	tokens, err := token.New(strings.Repeat("s", 64), token.Config{})
	if err != nil {
		t.Fatal(err)
	}
	sessions := &phx.Sessions{Tokens: tokens}
	keep := func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		s.Assign("seen", phx.Session(r)["user"])
		return nil
	}
	ep := startConfig(t, phx.Config{Mounts: []phx.Mount{{Path: "/socket", Sessions: sessions, Connect: keep, Routes: showing()}}})

	begin := func(values map[string]any) (*http.Cookie, string) {
		w := httptest.NewRecorder()
		csrf, err := sessions.Start(w, values)
		if err != nil {
			t.Fatal(err)
		}
		return w.Result().Cookies()[0], csrf
	}
	cookie, old := begin(map[string]any{"user": "ann"})
	r := httptest.NewRequest("GET", "/", nil)
	r.AddCookie(cookie)
	cookie, renewed := begin(sessions.Read(r))
	for csrf, want := range map[string]string{renewed: `"ann"`, old: `{}`} {
		if got := seen(t, ep, "/socket/websocket?vsn=2.0.0&_csrf_token="+csrf, "Cookie: "+cookie.Name+"="+cookie.Value); got != want {
			t.Errorf("token %s: session of %s, want %s", csrf, got, want)
		}
	}
}

// breaking is a serializer that panics at every reply.
type breaking struct{ wire.V2 }

func (breaking) Version() string { return "9.0.0" }
func (breaking) AppendReply([]byte, wire.Ref, wire.Ref, string, string, wire.Payload) ([]byte, bool, error) {
	panic("as told")
}

// strict is a serializer of version 2 that refuses some messages.
type strict struct{ wire.V2 }

func (strict) Decode(data []byte, binary bool) (wire.Message, error) {
	if strings.Contains(string(data), "bad") {
		return wire.Message{}, wire.ErrMalformed
	}
	return wire.V2{}.Decode(data, binary)
}

// A serializer's panic stays its own, and each mount has the one it names.
func TestSerializersOfOnesOwn(t *testing.T) {
	routes := []phx.Route{{Pattern: "a*", Type: &phx.ChannelType{}}}
	ep := startConfig(t, phx.Config{Loops: 1, Mounts: []phx.Mount{
		{Path: "/socket", Routes: routes},
		{Path: "/breaking", Routes: routes, Serializers: []wire.Serializer{breaking{}}},
		{Path: "/strict", Routes: routes, Serializers: []wire.Serializer{strict{}}},
	}})
	other := dial(t, ep)
	c := dialAt(t, ep, "/breaking/websocket?vsn=9.0.0")
	c.say(`["1","1","boom","x",{}]`, `["2","2","a","phx_join",{}]`)
	other.heartbeat()
	other.join("a")
	c = dialAt(t, ep, "/strict/websocket?vsn=2.0.0")
	c.say(`["1","1","bad","phx_join",{}]`)
	c.wantClosed(1011)
}

// Bodies of those who have no session are not waited for.
func TestLargeBodyWithoutSession(t *testing.T) {
	ep := startConfig(t, longPolling(time.Second))
	c := connect(t, ep)
	c.write([]byte("POST /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || !strings.Contains(head, "Connection: close") {
		t.Errorf("answer %q, want 200 at once, and the end", head)
	}
	if body, err := io.ReadAll(io.MultiReader(strings.NewReader(string(c.data)), c.conn)); err != nil || string(body) != `{"status":410}` {
		t.Errorf("body %q, %v, want status 410", body, err)
	}
}

// Broadcasts that wait for a callback count by their bytes, too.
func TestMailboxBytesOfBroadcasts(t *testing.T) {
	in, out := make(chan bool), make(chan bool)
	defer close(out)
	ep := start(t, phx.Route{Pattern: "*", Type: &phx.ChannelType{
		Intercept: []string{"big"}, Out: func(*phx.Channel, string, phx.Payload) error { return nil },
		In: phx.Events{"block": func(*phx.Channel, phx.Payload) (any, error) { in <- true; <-out; return nil, nil }},
	}})
	c := dial(t, ep)
	c.join("a")
	c.say(`["1","2","a","block",{}]`)
	<-in
	big := map[string]string{"x": strings.Repeat("x", 1<<20)}
	for i := range 40 {
		if err := ep.Broadcast("a", "big", big); err != nil {
			t.Fatal(err)
		}
		if i == 10 && ep.Stats().Sockets != 1 {
			t.Fatal("closed with 11 MiB waiting, want 16")
		}
	}
	c.wantEOF()
}

// However slowly the requests on a kept connection are answered, what waits of
// those behind them is bounded.
func TestPipelineIsBounded(t *testing.T) {
	cfg := longPolling(time.Second)
	cfg.Mounts[0].CheckOrigin = func(*url.URL, string) bool { time.Sleep(time.Millisecond); return true }
	ep := startConfig(t, cfg)
	c := connect(t, ep)
	go io.Copy(io.Discard, c.conn) // ends with the connection
	one := fmt.Sprintf("OPTIONS /socket/longpoll HTTP/1.1\r\nHost: a\r\nOrigin: http://x\r\nX: %s\r\n\r\n", strings.Repeat("x", 200))
	chunk := []byte(strings.Repeat(one, 100))
	written := make(chan error, 1)
	go func() { // ends with the connection
		var err error
		for i := 0; i < 1000 && err == nil; i++ { // 25 MB, far faster than the answers
			_, err = c.conn.Write(chunk)
		}
		written <- err
	}()
	if err := within(t, "end of the connection", written); err == nil {
		t.Error("25 MB were taken")
	}
	eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
}
