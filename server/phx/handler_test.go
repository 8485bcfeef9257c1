package phx_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// newEndpoint is one that ends with the test and listens nowhere.
func newEndpoint(t testing.TB, cfg phx.Config) *phx.Endpoint {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	if cfg.Hosts == nil {
		cfg.Hosts = []string{phx.AnyHost}
	}
	ep, err := phx.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	return ep
}

// hosted has a server of net/http that ends with the test, but before the
// endpoints that were made before.
func hosted(t testing.TB, h http.Handler, configure ...func(*httptest.Server)) *httptest.Server {
	t.Helper()
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	for _, f := range configure {
		f(s)
	}
	if s.TLS != nil || s.EnableHTTP2 {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(s.Close)
	return s
}

// connectTo opens a connection to an address that is no endpoint's.
func connectTo(t testing.TB, addr net.Addr) *client {
	t.Helper()
	conn, err := net.DialTimeout(addr.Network(), addr.String(), patience)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return &client{t: t, conn: conn}
}

// anyTopic is a mount with long polling where everything may be joined.
func anyTopic(window time.Duration) phx.Mount {
	return phx.Mount{Path: "/socket", LongPoll: &phx.LongPoll{Window: window}, Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}
}

type userKey struct{}

// An endpoint below a router of net/http's shares the server with other routes.
// Connect sees the request as middleware has left it; what a client sends before it
// has the answer is not lost; and the endpoint ends what is its own.
func TestHandler(t *testing.T) {
	seen := make(chan string, 1)
	m := anyTopic(time.Minute)
	m.Connect = func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		seen <- fmt.Sprint(r.Context().Value(userKey{}), " at ", r.URL.Path, " from ", r.RemoteAddr, " as ", s.RemoteAddr())
		return nil
	}
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{m}, ReadyPath: "/socket/ready", HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, r.URL.Path, phx.EndpointOf(r) != nil)
	})})
	mux := http.NewServeMux()
	mux.Handle("/api/socket/", http.StripPrefix("/api", ep))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page "+r.URL.Path) })
	server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mux.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), userKey{}, "ann")))
	}), func(s *httptest.Server) { s.Config.ReadTimeout, s.Config.WriteTimeout = patience, patience })

	c := connectTo(t, server.Listener.Addr())
	c.write([]byte("GET /x HTTP/1.1\r\nHost: h\r\n\r\n"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 200 ") || string(c.data) != "page /x" {
		t.Fatalf("another route: %q %q", head, c.data)
	}
	c.data = nil
	early := frame.AppendMasked(nil, ws.OpText, mask, []byte(`["1","1","a","phx_join",{}]`))
	c.write(append(request("/api/socket/websocket?vsn=2.0.0"), early...))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("answer %q, want 101", head)
	}
	from := c.conn.LocalAddr()
	if got, want := within(t, "Connect", seen), fmt.Sprintf("ann at /socket/websocket from %v as %v", from, from); got != want {
		t.Errorf("Connect saw %s, want %s", got, want)
	}
	c.want(`["1","1","a","phx_reply",{"status":"ok","response":{}}]`)
	if n := ep.Stats().Connections; n != 1 {
		t.Errorf("%d connections counted, want 1", n)
	}
	for path, want := range map[string]string{"/api/socket/other": "/socket/other true\n", "/api/socket/ready": "ready\n"} {
		resp, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		if body, err := io.ReadAll(resp.Body); err != nil || resp.Body.Close() != nil || string(body) != want {
			t.Errorf("%s: %q, %v, want %q", path, body, err, want)
		}
	}
	c.wantDrained(ep)
	late := connectTo(t, server.Listener.Addr())
	if got := late.upgradeAt("/api/socket/websocket?vsn=2.0.0"); got != "503" {
		t.Errorf("after Shutdown: %s, want 503", got)
	}
}

// wantDrained shuts the endpoint of the client down.
func (c *client) wantDrained(ep *phx.Endpoint) {
	c.t.Helper()
	done := make(chan bool)
	go func() { shutdown(c.t, ep); close(done) }()
	c.wantClosed(ws.StatusCode(1012))
	c.hangUp(false)
	within(c.t, "end of Shutdown", done)
}

func (c *client) upgradeAt(target string, headers ...string) string {
	c.t.Helper()
	c.write(request(target, headers...))
	return strings.Fields(c.head())[1]
}

// What the loop would refuse is refused also below another server, and that goes on
// with other requests where it can.
func TestHandlerRefuses(t *testing.T) {
	m := anyTopic(time.Minute)
	m.Connect = func(_ *phx.Socket, params phx.Params, _ *http.Request) error {
		if params.String("token") != "right" {
			return &phx.RefuseError{Status: http.StatusUnauthorized}
		}
		return nil
	}
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{m}})
	server := hosted(t, ep)
	for _, tt := range []struct{ name, head, want string }{
		{"Connect", string(request("/socket/websocket?vsn=2.0.0")), "401"},
		{"origin", string(request("/socket/websocket?vsn=2.0.0&token=right", "Origin: http://evil.test")), "403"},
		{"version", string(request("/socket/websocket?vsn=9.0.0&token=right")), "403"},
		{"no upgrade", "GET /socket/websocket HTTP/1.1\r\nHost: h\r\n\r\n", "4"},
		{"HTTP/1.0", "GET /socket/websocket HTTP/1.0\r\nHost: h\r\n\r\n", "505"},
		{"POST", "POST /socket/websocket HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "400"},
		{"with a body", string(request("/socket/websocket?vsn=2.0.0&token=right", "Content-Length: 3")) + "abc", "400"},
		{"a long head", string(request("/socket/websocket?vsn=2.0.0", "X: "+strings.Repeat("x", 20<<10))), "431"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := connectTo(t, server.Listener.Addr())
			c.write([]byte(tt.head))
			if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 "+tt.want) && !strings.HasPrefix(head, "HTTP/1.0 "+tt.want) {
				t.Errorf("answer %q, want %s", head, tt.want)
			}
		})
	}
	eventually(t, "all are gone", func() bool { return ep.Stats().Connections == 0 })
}

// Limits of connections count those of another server, too, by the address that
// it says.
func TestHandlerLimits(t *testing.T) {
	ep := newEndpoint(t, phx.Config{
		Loops: 1, MaxConns: 2, MaxConnsPerIP: 1, Mounts: []phx.Mount{anyTopic(time.Minute)},
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	})
	server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if real := r.Header.Get("X-Real-IP"); real != "" { // as chi's RealIP does
			r.RemoteAddr = real
		}
		ep.ServeHTTP(w, r)
	}))
	try := func(headers ...string) (*client, string) {
		c := connectTo(t, server.Listener.Addr())
		return c, c.upgradeAt("/socket/websocket?vsn=2.0.0", headers...)
	}
	first, status := try("X-Real-IP: 10.0.0.1")
	if status != "101" || ep.Visits("10.0.0.1") != 1 {
		t.Fatalf("the first: %s, %d visits, want 101 and 1", status, ep.Visits("10.0.0.1"))
	}
	if _, status := try("X-Real-IP: 10.0.0.1"); status != "503" {
		t.Errorf("the second of an address: %s, want 503", status)
	}
	second, status := try("X-Forwarded-For: 10.0.0.2")
	if status != "101" || ep.Visits("10.0.0.2") != 1 {
		t.Errorf("by a trusted proxy: %s, %d visits, want 101 and 1", status, ep.Visits("10.0.0.2"))
	}
	if _, status := try("X-Real-IP: 10.0.0.3"); status != "503" {
		t.Errorf("beyond MaxConns: %s, want 503", status)
	}
	if resp, err := http.Get(server.URL + "/socket/longpoll?vsn=2.0.0"); err != nil || resp.Body.Close() != nil || resp.StatusCode != 503 {
		t.Errorf("a poll beyond MaxConns: %v, %v, want 503", resp, err)
	}
	if got := ep.Stats().Refused; got != (phx.Refusals{Full: 2, PerAddress: 1}) {
		t.Errorf("refused %+v, want two beyond MaxConns and one of an address", got)
	}
	first.hangUp(true)
	second.hangUp(true)
	eventually(t, "the addresses are gone", func() bool { return ep.Visits("10.0.0.1")+ep.Visits("10.0.0.2") == 0 })
}

// Middleware that wraps the ResponseWriter must unwrap it: else the answer says
// that it went wrong, and the log why.
func TestHandlerBehindMiddleware(t *testing.T) {
	for _, tt := range []struct {
		name string
		wrap func(http.ResponseWriter) http.ResponseWriter
		want string
	}{
		{"that unwraps", func(w http.ResponseWriter) http.ResponseWriter { return unwraps{w} }, "101"},
		{"that does not", func(w http.ResponseWriter) http.ResponseWriter { return struct{ http.ResponseWriter }{w} }, "500"},
		{"that believes another", func(w http.ResponseWriter) http.ResponseWriter {
			return asserts{struct{ http.ResponseWriter }{w}}
		}, "500"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := newEndpoint(t, phx.Config{MaxConnsPerIP: 1, Mounts: []phx.Mount{anyTopic(time.Minute)}})
			server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer func() { // as chi's Recoverer
					if recover() != nil {
						w.WriteHeader(500)
					}
				}()
				ep.ServeHTTP(tt.wrap(w), r)
			}))
			c := connectTo(t, server.Listener.Addr())
			if got := c.upgradeAt("/socket/websocket?vsn=2.0.0"); got != tt.want {
				t.Errorf("answer %s, want %s", got, tt.want)
			}
			c.hangUp(true)
			eventually(t, "it counts no more", func() bool { return ep.Visits("127.0.0.1") == 0 })
		})
	}
}

// asserts panics where there is no Hijack below it, as widespread middleware does.
type asserts struct{ http.ResponseWriter }

func (a asserts) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return a.ResponseWriter.(http.Hijacker).Hijack()
}

type unwraps struct{ http.ResponseWriter }

func (u unwraps) Unwrap() http.ResponseWriter { return u.ResponseWriter }

// The handler does not return before Connect, to which its request belongs: routers
// use parts of it again.
func TestHandlerWaitsForConnect(t *testing.T) {
	for _, target := range []string{"/socket/websocket?vsn=2.0.0", "/socket/longpoll?vsn=2.0.0"} {
		began, proceed, returned := make(chan bool), make(chan bool), make(chan bool)
		m := anyTopic(time.Minute)
		m.Connect = func(*phx.Socket, phx.Params, *http.Request) error { began <- true; <-proceed; return nil }
		ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{m}})
		server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ep.ServeHTTP(w, r)
			close(returned)
		}))
		c := connectTo(t, server.Listener.Addr())
		c.write(request(target))
		within(t, "Connect", began)
		c.hangUp(true)
		eventually(t, "the connection is gone", func() bool { return ep.Stats().Connections == 0 })
		select {
		case <-returned:
			t.Errorf("%s: the handler returned before Connect", target)
		default:
		}
		close(proceed)
		within(t, "end of the handler", returned)
	}
}

// Connect's context ends with the one that middleware has made.
func TestHandlerContext(t *testing.T) {
	over := errors.New("time is up")
	causes := make(chan error, 1)
	m := anyTopic(time.Minute)
	m.Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error {
		r.Context().Value(userKey{}).(context.CancelCauseFunc)(over)
		<-r.Context().Done()
		causes <- context.Cause(r.Context())
		return r.Context().Err()
	}
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{m}})
	server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancelCause(r.Context())
		ep.ServeHTTP(w, r.WithContext(context.WithValue(ctx, userKey{}, cancel)))
	}))
	if got := connectTo(t, server.Listener.Addr()).upgradeAt("/socket/websocket?vsn=2.0.0"); got != "403" {
		t.Errorf("answer %s, want 403", got)
	}
	if got := within(t, "end of the context", causes); got != over {
		t.Errorf("it ended with %v, want %v", got, over)
	}
}

// overTLS has a server with TLS, and HTTP/2 if asked.
func overTLS(http2 bool) func(*httptest.Server) {
	return func(s *httptest.Server) {
		s.EnableHTTP2 = http2
		if !http2 {
			s.TLS = new(tls.Config)
		}
	}
}

// A WebSocket through a server that has TLS.
func TestHandlerTLS(t *testing.T) {
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{anyTopic(time.Minute)}})
	server := hosted(t, ep, overTLS(false))
	cfg := server.Client().Transport.(*http.Transport).TLSClientConfig
	conn, err := tls.Dial("tcp", server.Listener.Addr().String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, conn: conn}
	if got := c.upgradeAt("/socket/websocket?vsn=2.0.0", "Origin: https://example.test:4000"); got != "101" {
		t.Fatalf("answer %s, want 101", got)
	}
	c.join("a")
	if err := ep.Broadcast("a", "big", map[string]string{"x": strings.Repeat("x", 300_000)}); err != nil {
		t.Fatal(err)
	}
	if got := c.message(); len(got) < 300_000 {
		t.Errorf("a broadcast of %d bytes, want 300,000", len(got))
	}
	c.wantDrained(ep)
}

// Long polling goes through another server by HTTP/1.1 and HTTP/2, with and without
// a length of the body. WebSockets by HTTP/2 are told what to do.
func TestHandlerLongPoll(t *testing.T) {
	t.Parallel()
	for _, http2 := range []bool{false, true} {
		t.Run(fmt.Sprint("http2=", http2), func(t *testing.T) {
			t.Parallel()
			ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{anyTopic(5 * time.Second)}})
			server := hosted(t, ep, overTLS(http2), func(s *httptest.Server) {
				s.Config.ReadTimeout, s.Config.WriteTimeout = 4*time.Second, 4*time.Second // less than a window
			})
			web := server.Client()
			do := func(method, query string, body io.Reader) polled {
				t.Helper()
				r, err := http.NewRequest(method, server.URL+"/socket/longpoll?vsn=2.0.0"+query, body)
				if err != nil {
					t.Fatal(err)
				}
				resp, err := web.Do(r)
				if err != nil {
					t.Fatal(err)
				}
				defer resp.Body.Close()
				a, err := polledOf(resp)
				if err != nil || (resp.ProtoMajor == 2) != http2 {
					t.Fatalf("an answer in %s, %v", resp.Proto, err)
				}
				return a
			}
			token := "&token=" + do("GET", "", nil).Token
			if a := do("POST", token, strings.NewReader(beat(1))); a.Status != 200 {
				t.Fatalf("POST: %+v, want status 200", a)
			}
			wantMessages(t, do("GET", token, nil).Messages, beaten(1))
			long := fmt.Sprintf(`[null,"2","phoenix","heartbeat",{"x":%q}]`, strings.Repeat("x", 1<<20))
			if a := do("POST", token, struct{ io.Reader }{strings.NewReader(long)}); a.Status != 200 { // chunked
				t.Fatalf("POST without a length: %+v, want status 200", a)
			}
			wantMessages(t, do("GET", token, nil).Messages, beaten(2))
			if a := do("GET", token, nil); a.Status != 204 {
				t.Errorf("a poll that waits: %+v, want status 204", a)
			}
			if a := do("POST", "&token=none", bytes.NewReader(make([]byte, 4<<20))); a.Status != 410 {
				t.Errorf("a body without a session: %+v, want status 410", a)
			}
			if !http2 {
				return
			}
			resp, err := web.Get(server.URL + "/socket/websocket?vsn=2.0.0")
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			if text, err := io.ReadAll(resp.Body); resp.StatusCode != 505 || !strings.Contains(string(text), "HTTP/1.1") {
				t.Errorf("WebSocket by HTTP/2: %d %q, %v, want 505 and what to do", resp.StatusCode, text, err)
			}
		})
	}
}

// A poll whose client hangs up ends at once, and leaves the messages to the next.
func TestHandlerPollAbandoned(t *testing.T) {
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{anyTopic(time.Minute)}})
	server := hosted(t, ep)
	web := func() *webConn {
		conn := connectTo(t, server.Listener.Addr()).conn
		return &webConn{t, conn, bufio.NewReader(conn)}
	}
	token := web().do("GET", "/socket/longpoll?vsn=2.0.0", "").Token
	target := "/socket/longpoll?vsn=2.0.0&token=" + token
	c := web()
	c.send("GET", target, "")
	eventually(t, "the poll waits", func() bool { return ep.WaitingPolls() == 1 })
	c.conn.Close()
	eventually(t, "the poll is gone", func() bool { return ep.WaitingPolls() == 0 && ep.Stats().Connections == 0 })
	c = web()
	if a := c.do("POST", target, beat(1)); a.Status != 200 {
		t.Fatalf("POST: %+v, want status 200", a)
	}
	wantMessages(t, c.do("GET", target, "").Messages, beaten(1)) // the server's connection goes on
}

// A body of middleware's may panic: its request fails, and no other. One that nobody
// wants holds the answer only where no deadline can be set, and the log says why.
func TestHandlerBodies(t *testing.T) {
	log := &logBook{min: slog.LevelWarn}
	ep, err := phx.New(phx.Config{Logger: slog.New(log), Hosts: []string{phx.AnyHost}, Mounts: []phx.Mount{anyTopic(time.Minute)}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	server := hosted(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Header.Get("X-Body") {
		case "panics":
			r.Body = bodyFunc(func([]byte) (int, error) { panic("oh") })
		case "exits":
			r.Body = bodyFunc(func([]byte) (int, error) { runtime.Goexit(); return 0, nil })
		case "bare":
			w = struct{ http.ResponseWriter }{w}
		}
		ep.ServeHTTP(w, r)
	}))
	web := func() *webConn {
		conn := connectTo(t, server.Listener.Addr()).conn
		return &webConn{t, conn, bufio.NewReader(conn)}
	}
	target := "/socket/longpoll?vsn=2.0.0&token=" + web().do("GET", "/socket/longpoll?vsn=2.0.0", "").Token
	if a := web().do("POST", target, beat(1), "X-Body: panics"); a.code != 400 {
		t.Errorf("a body that panics: %d, want 400", a.code)
	}
	if a := web().do("POST", target, beat(1), "X-Body: exits"); a.code != 400 {
		t.Errorf("a body that calls runtime.Goexit: %d, want 400", a.code)
	}
	eventually(t, "the log has the panic", func() bool { return len(log.with("panic in the body of a request")) == 1 })
	if a := web().do("GET", "/socket/longpoll?vsn=2.0.0", "", "X-Body: panics"); a.Status != 410 {
		t.Errorf("no body, but one that panics: %s, want a session", a.body)
	}
	c := web()
	io.WriteString(c.conn, "POST /socket/longpoll HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n")
	if a := c.receive(); a.Status != 410 {
		t.Errorf("a body that does not come: %s, want status 410", a.body)
	}
	io.WriteString(web().conn, "POST /socket/longpoll HTTP/1.1\r\nHost: h\r\nX-Body: bare\r\nContent-Length: 9\r\n\r\n")
	eventually(t, "the log says what to do", func() bool {
		return strings.Contains(fmt.Sprint(log.with("an answer waits for a request body that is not needed")), "Unwrap")
	})
}

type bodyFunc func(p []byte) (int, error)

func (f bodyFunc) Read(p []byte) (int, error) { return f(p) }
func (f bodyFunc) Close() error               { return nil }
