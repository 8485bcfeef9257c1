package phx_test

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// A lobby is an HTTP handler whose requests for /wait are answered when the test says
// so.
type lobby struct {
	in  chan string // the client of each request that waits
	out chan struct{}
}

func openLobby(t *testing.T, cfg phx.Config) (*phx.Endpoint, *lobby) {
	t.Helper()
	l := &lobby{in: make(chan string, 100), out: make(chan struct{})}
	cfg.Loops, cfg.Mounts = 1, sockets()
	cfg.Mounts[0].Drain = func() phx.Drain { return phx.Drain{BatchSize: 1, Interval: time.Second} }
	cfg.HTTP = http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/wait" {
			l.in <- r.RemoteAddr
			<-l.out
		}
	})
	return startConfig(t, cfg), l
}

// get asks for a page and returns the status of the answer.
func (c *client) get(path string, headers ...string) string {
	c.t.Helper()
	c.ask(path, headers...)
	return c.status()
}

func (c *client) ask(path string, headers ...string) {
	c.t.Helper()
	lines := append([]string{"GET " + path + " HTTP/1.1", "Host: h"}, headers...)
	c.write([]byte(strings.Join(lines, "\r\n") + "\r\n\r\n"))
}

func (c *client) status() string {
	c.t.Helper()
	return strings.Fields(c.head())[1]
}

// More requests than MaxHTTP are turned away until one is answered; sockets do not
// count.
func TestMaxHTTP(t *testing.T) {
	ep, l := openLobby(t, phx.Config{MaxHTTP: 1})
	first := connect(t, ep)
	first.ask("/wait")
	within(t, "request", l.in)
	if got := connect(t, ep).get("/"); got != "503" {
		t.Errorf("the second: %s, want 503", got)
	}
	dial(t, ep).heartbeat()
	close(l.out)
	if got := first.status(); got != "200" {
		t.Errorf("the first: %s, want 200", got)
	}
	eventually(t, "there is room again", func() bool { return connect(t, ep).get("/") == "200" })
}

// Connections that wait for a request make room, the longest idle first, and half a
// request does not help them. Those that have one are left alone.
func TestIdleHTTPMakesRoom(t *testing.T) {
	ep, l := openLobby(t, phx.Config{MaxHTTP: 4})
	busy := connect(t, ep)
	busy.ask("/wait")
	within(t, "request", l.in)
	var idle []*client
	for i := range 3 {
		c := connect(t, ep)
		c.get("/")
		eventually(t, "it is idle", func() bool { return ep.IdlePages() == i+1 })
		idle = append(idle, c)
	}
	idle[0].get("/") // the last one now
	eventually(t, "it is idle again", func() bool { return ep.IdlePages() == 3 })
	idle[1].write([]byte("GET / HT"))
	for range 2 {
		if got := connect(t, ep).get("/"); got != "200" {
			t.Fatalf("a new one: %s, want 200", got)
		}
		eventually(t, "it is idle", func() bool { return ep.IdlePages() == 3 })
	}
	for _, c := range idle[1:] {
		c.conn.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, c.conn); errors.Is(err, os.ErrDeadlineExceeded) {
			t.Error("one that was to make room is still there")
		}
	}
	if got := idle[0].get("/"); got != "200" {
		t.Errorf("the one that was idle for the shortest time: %s, want 200", got)
	}
	close(l.out)
	if got := busy.status(); got != "200" {
		t.Errorf("the one with a request: %s, want 200", got)
	}
}

// No address has more requests than there are places left, whatever it holds in
// reserve; networks of IPv6 are one.
func TestHTTPShares(t *testing.T) {
	local := []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}
	ask := func(t *testing.T, l *lobby, c *client, want string, headers ...string) {
		t.Helper()
		c.ask("/wait", headers...)
		if want == "200" {
			within(t, "request", l.in)
		} else if got := c.status(); got != want {
			t.Errorf("%s: %s, want %s", c.conn.LocalAddr(), got, want)
		}
	}
	shares := []struct{ from, want string }{
		{"1", "200"}, {"1", "200"}, {"1", "503"}, {"2", "200"}, {"2", "503"}, {"3", "200"}, {"4", "503"},
	}
	t.Run("by connection", func(t *testing.T) {
		ep, l := openLobby(t, phx.Config{MaxHTTP: 4})
		for _, tt := range shares {
			ask(t, l, connectFrom(t, ep, "127.0.0."+tt.from), tt.want)
		}
		close(l.out)
		eventually(t, "there is room again", func() bool { return ep.IdlePages() == 4 })
	})
	t.Run("kept connections", func(t *testing.T) {
		ep, l := openLobby(t, phx.Config{MaxHTTP: 4})
		defer close(l.out)
		var all []*client
		for n := range 4 {
			c := connect(t, ep)
			c.get("/")
			all = append(all, c)
			eventually(t, "all are idle", func() bool { return ep.IdlePages() == n+1 })
		}
		for i, want := range []string{"200", "200", "503", "503"} {
			ask(t, l, all[i], want)
		}
		ask(t, l, connectFrom(t, ep, "127.0.0.2"), "200")
	})
	t.Run("behind a proxy", func(t *testing.T) {
		ep, l := openLobby(t, phx.Config{MaxHTTP: 4, TrustedProxies: local})
		defer close(l.out)
		kept := connect(t, ep)
		for _, from := range []string{"1", "2"} {
			if got := kept.get("/", "X-Forwarded-For: 192.0.2."+from); got != "200" {
				t.Errorf("%s over a connection of the proxy's: %s, want 200", from, got)
			}
		}
		eventually(t, "it is idle", func() bool { return ep.IdlePages() == 1 })
		for _, tt := range shares {
			ask(t, l, connect(t, ep), tt.want, "X-Forwarded-For: 192.0.2."+tt.from)
		}
	})
	t.Run("IPv6 behind a proxy", func(t *testing.T) {
		ep, l := openLobby(t, phx.Config{MaxHTTP: 3, TrustedProxies: local})
		defer close(l.out)
		for _, tt := range []struct{ from, want string }{
			{"2001:db8::1", "200"}, {"2001:db8::2", "200"}, {"2001:db8::3", "503"}, {"2001:db8:0:1::1", "200"},
		} {
			ask(t, l, connect(t, ep), tt.want, "X-Forwarded-For: "+tt.from)
		}
	})
	t.Run("the proxy itself", func(t *testing.T) {
		ep, l := openLobby(t, phx.Config{MaxHTTP: 3, TrustedProxies: local})
		defer close(l.out)
		for _, want := range []string{"200", "200", "200", "503"} {
			ask(t, l, connect(t, ep), want)
		}
	})
}

// Whether clients are welcome is answered also when there is no place left.
func TestReadyPath(t *testing.T) {
	ep, l := openLobby(t, phx.Config{MaxHTTP: 1, ReadyPath: "/ready"})
	kept, early := dialWeb(t, ep), dialWeb(t, ep)
	kept.do("GET", "/", "")
	kept.send("GET", "/ready", "")
	if a := kept.receive(); a.code != 200 || a.body != "ready\n" {
		t.Errorf("over a connection that net/http has: %d %q, want 200", a.code, a.body)
	}
	kept.wantEnd()
	connect(t, ep).ask("/wait")
	within(t, "request", l.in)
	for _, tt := range []struct{ method, target, want string }{
		{"GET", "/ready", "200"}, {"GET", "/ready?a=b", "200"}, {"HEAD", "/ready", "200"}, {"POST", "/ready", "405"},
		{"GET", "/ready/", "503"}, {"GET", "/", "503"},
	} {
		c := connect(t, ep)
		c.write([]byte(tt.method + " " + tt.target + " HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"))
		if got := c.status(); got != tt.want {
			t.Errorf("%s %s: %s, want %s", tt.method, tt.target, got, tt.want)
		}
		if tt.method == "HEAD" {
			c.wantEOF()
		}
	}
	w := httptest.NewRecorder()
	ep.ServeHTTP(w, httptest.NewRequest("GET", "/ready", nil))
	if w.Code != 200 || w.Body.String() != "ready\n" {
		t.Errorf("from another server: %d %q, want 200", w.Code, w.Body)
	}
	close(l.out)
	last := []*client{dial(t, ep), dial(t, ep)} // for whom the drain takes a second
	down := make(chan struct{})
	go func() { // awaited below
		defer close(down)
		shutdown(t, ep)
	}()
	eventually(t, "it drains", ep.Draining)
	if a := early.do("GET", "/ready", ""); a.code != 503 || a.body != "not ready\n" {
		t.Errorf("when it drains: %d %q, want 503", a.code, a.body)
	}
	goodbyes(t, last)()
	within(t, "end", down)
}
