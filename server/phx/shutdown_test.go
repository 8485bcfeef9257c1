package phx_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// startOnly is startConfig for endpoints whose Shutdown may fail.
func startOnly(t *testing.T, cfg phx.Config) *phx.Endpoint {
	t.Helper()
	cfg.Addr, cfg.Logger = "127.0.0.1:0", slog.New(slog.DiscardHandler)
	cfg.Hosts = []string{phx.AnyHost}
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ep.Shutdown(context.Background()) })
	return ep
}

// shutdownInTime is Shutdown with a context that never ends.
func shutdownInTime(t *testing.T, ep *phx.Endpoint) error {
	t.Helper()
	down := make(chan error, 1)
	go func() { down <- ep.Shutdown(context.Background()) }() // awaited here
	return within(t, "end of Shutdown", down)
}

// What clients do not send or read does not hold Shutdown, nor do connections
// without a request and those that the application has hijacked.
func TestShutdownEndsByItself(t *testing.T) {
	const host = " HTTP/1.1\r\nHost: h\r\n"
	for name, sent := range map[string]string{
		"nothing":                "",
		"half a head":            "GET / HT",
		"body":                   "POST /read" + host + "Content-Length: 1000\r\n\r\nx",
		"body that nobody reads": "POST /" + host + "Content-Length: 1000\r\n\r\nx",
		"long-poll body":         "POST /socket/longpoll" + host + "Transfer-Encoding: chunked\r\n\r\n",
		"answer":                 "GET /large" + host + "\r\n",
		"idle":                   "GET /" + host + "\r\n",
		"half a second head":     "GET /" + host + "\r\nGET / HT",
		"hijacked":               "GET /hijack" + host + "\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ep := pages(t, 10, 2*time.Second)
			c := connect(t, ep)
			c.write([]byte(sent))
			switch name {
			case "idle", "half a second head":
				c.head()
				eventually(t, "it is idle", func() bool { return ep.IdlePages() == 1 })
			case "hijacked":
				c.head()
			case "body", "body that nobody reads", "answer":
				eventually(t, "net/http has it", func() bool { return ep.Pages() == 1 })
			default:
				eventually(t, "the connection is there", func() bool { return ep.Stats().Connections == 1 || sent != "" })
			}
			if err := shutdownInTime(t, ep); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
			c.conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, c.conn); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("read %v, want the end", err)
			}
		})
	}
}

// Nor does it wait to the end of its time for what clients may take longer for.
func TestShutdownHurriesClients(t *testing.T) {
	const host = " HTTP/1.1\r\nHost: h\r\n"
	for _, sent := range []string{
		"POST /" + host + "Content-Length: 1000\r\n\r\nx", "POST /read" + host + "Content-Length: 1000\r\n\r\nx",
		"POST /read" + host + "Transfer-Encoding: chunked\r\n\r\n1\r\n", "GET /large" + host + "\r\n",
	} {
		t.Run(sent[:10], func(t *testing.T) {
			t.Parallel()
			in := make(chan struct{}, 1)
			ep := startOnly(t, phx.Config{
				DrainTimeout: 2 * time.Second, IncomingTimeout: time.Hour, WriteTimeout: time.Hour,
				HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					in <- struct{}{}
					switch r.URL.Path {
					case "/read":
						_, _ = io.ReadAll(r.Body)
					case "/large":
						_, _ = w.Write(make([]byte, 32<<20))
					}
				}),
			})
			connect(t, ep).write([]byte(sent))
			within(t, "request", in)
			if err := shutdownInTime(t, ep); err != nil {
				t.Errorf("Shutdown: %v", err)
			}
		})
	}
}

// Shutdown waits for handlers as long as Config.DrainTimeout or its context say, and
// tells which one it has waited for.
func TestShutdownNamesRequests(t *testing.T) {
	in, out := make(chan struct{}), make(chan struct{})
	handle := http.HandlerFunc(func(http.ResponseWriter, *http.Request) { in <- struct{}{}; <-out })
	t.Cleanup(func() { close(out) })
	for _, tt := range []struct {
		name         string
		drain        time.Duration
		patience     time.Duration // of the context
		want         error
		first, later string
	}{
		{"DrainTimeout", limit, time.Hour, context.DeadlineExceeded, "/first?secret=1", "/later"},
		{"context", time.Hour, limit, context.DeadlineExceeded, "/first\x1b", "/later"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ep := startOnly(t, phx.Config{DrainTimeout: tt.drain, HTTP: handle})
			var all []*client
			for _, path := range []string{"/first", "/later"} {
				c := connect(t, ep)
				c.write([]byte("GET " + path + "?secret=1 HTTP/1.1\r\nHost: h\r\n\r\n"))
				within(t, "request", in)
				all = append(all, c)
			}
			ctx, cancel := context.WithTimeout(context.Background(), tt.patience)
			defer cancel()
			down := make(chan error, 1)
			go func() { down <- ep.Shutdown(ctx) }() // awaited here
			err := within(t, "end of Shutdown", down)
			want := `2 requests to Config.HTTP have not ended; GET "/first" of ` + all[0].conn.LocalAddr().String() + " came "
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Shutdown: %v, want DeadlineExceeded with %q", err, want)
			}
			for _, c := range all {
				c.conn.SetReadDeadline(time.Now().Add(patience))
				if _, err := io.Copy(io.Discard, c.conn); errors.Is(err, os.ErrDeadlineExceeded) {
					t.Error("a connection is still there")
				}
			}
		})
	}
}

// Callbacks have some seconds more; then Shutdown tells which one goes on. The context
// of a socket that Connect lets in after that has ended, too.
func TestShutdownNamesCallbacks(t *testing.T) {
	const poll = " HTTP/1.1\r\nHost: h\r\nOrigin: http://h\r\n\r\n"
	for _, tt := range []struct {
		name, sent string
		socket     bool // there is one when out is closed
		want       string
	}{
		{"Connect", string(request("/slow/websocket?vsn=2.0.0")), true, "mount /slow callback Connect"},
		{"Connect of a poll", "GET /slow/longpoll?vsn=2.0.0" + poll, true, "mount /slow callback Connect"},
		{"CheckOrigin of a poll", "GET /origin/longpoll?vsn=2.0.0" + poll, false, "mount /origin callback CheckOrigin"},
		{"Terminate", string(request("/socket/websocket?vsn=2.0.0")), false, "topic room:1 callback Terminate"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in, out := make(chan context.Context, 1), make(chan struct{})
			wait := func(ctx context.Context) { in <- ctx; <-out }
			ep := startOnly(t, phx.Config{DrainTimeout: limit, Mounts: []phx.Mount{
				{Path: "/slow", LongPoll: &phx.LongPoll{}, Connect: func(s *phx.Socket, _ phx.Params, _ *http.Request) error { wait(s.Context()); return nil }},
				{Path: "/origin", LongPoll: &phx.LongPoll{}, CheckOrigin: func(*url.URL, string) bool { wait(nil); return true }},
				{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{Terminate: func(*phx.Channel, phx.Reason) { wait(nil) }}}}},
			}})
			end := sync.OnceFunc(func() { close(out) })
			defer end()
			c := connect(t, ep)
			c.write([]byte(tt.sent))
			if tt.name == "Terminate" {
				c.head()
				c.join("room:1")
				c.hangUp(false)
			}
			ctx := within(t, "callback", in)
			if err := shutdownInTime(t, ep); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Shutdown: %v, want an error with %q", err, tt.want)
			}
			if end(); tt.socket {
				within(t, "end of the socket's context", ctx.Done())
			}
		})
	}
}
