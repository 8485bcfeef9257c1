package phx_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/phx"
)

// named starts an endpoint with every door, without allowing hosts as startConfig
// does. What it says is in the log.
func named(t *testing.T, cfg phx.Config) (*phx.Endpoint, *logBook) {
	t.Helper()
	log := &logBook{min: slog.LevelInfo}
	cfg.Logger = slog.New(log)
	cfg.Mounts = longPolling(time.Minute).Mounts
	cfg.HTTP = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })
	if cfg.Addr == "" {
		cfg.Addr = "127.0.0.1:0"
	}
	ep, err := phx.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	return ep, log
}

// toHost are requests for a host, by each way in, and the status if they may be.
func toHost(host string) map[string]int {
	name := "Host: " + host
	return map[string]int{
		strings.Replace(string(request("/socket/websocket?vsn=2.0.0")), "Host: example.test:4000", name, 1): 101,
		"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\n" + name + "\r\n\r\n":                                   200,
		"GET / HTTP/1.1\r\n" + name + "\r\n\r\n":                                                            200,
		"GET http://" + host + "/ HTTP/1.1\r\nHost: localhost\r\n\r\n":                                      200,
	}
}

// A server at a loopback address has no other names, unless it is told which; any
// other has all, unless it is told which. It is the same by each way in, also behind
// a page.
func TestHosts(t *testing.T) {
	const page = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
	for _, tt := range []struct {
		cfg     phx.Config
		host    string
		allowed bool
	}{
		{phx.Config{}, "localhost", true},
		{phx.Config{}, "LocalHost:4000", true},
		{phx.Config{}, "localhost.:4000", true},
		{phx.Config{}, "chat.localhost:4000", true},
		{phx.Config{}, "127.0.0.1:4000", true},
		{phx.Config{}, "127.9.9.9", true},
		{phx.Config{}, "[::1]:4000", true},
		{phx.Config{}, "[::ffff:127.0.0.1]", true},
		{phx.Config{}, "evil.test:4000", false},
		{phx.Config{}, "localhost.evil.test", false},
		{phx.Config{}, "evillocalhost", false},
		{phx.Config{}, "127.0.0.1.evil.test", false},
		{phx.Config{}, "10.0.0.1", false},
		{phx.Config{}, "0.0.0.0:4000", false},
		{phx.Config{}, "[::2]", false},
		{phx.Config{Addr: "localhost:0"}, "evil.test", false},
		{phx.Config{Addr: "[::1]:0"}, "evil.test", false},
		{phx.Config{Host: "Example.test"}, "example.TEST:4000", true},
		{phx.Config{Host: "example.test"}, "evil.test", false},
		{phx.Config{Hosts: []string{"a.test", "10.0.0.1"}}, "A.test:80", true},
		{phx.Config{Hosts: []string{"a.test", "10.0.0.1"}}, "10.0.0.1:80", true},
		{phx.Config{Hosts: []string{"a.test."}}, "a.test", true}, // other forms of the same
		{phx.Config{Hosts: []string{"2001:DB8:0::1"}}, "[2001:db8::1]:80", true},
		{phx.Config{Hosts: []string{"a.test"}}, "b.a.test", false},
		{phx.Config{Hosts: []string{"a.test"}}, "localhost", true},
		{phx.Config{Hosts: []string{phx.AnyHost}}, "evil.test", true},
		{phx.Config{Addr: "0.0.0.0:0"}, "evil.test", true},
		{phx.Config{Addr: "0.0.0.0:0", Hosts: []string{"a.test"}}, "evil.test", false},
		{phx.Config{Addr: "0.0.0.0:0", Hosts: []string{"a.test"}}, "a.test", true},
	} {
		t.Run(fmt.Sprint(tt.cfg.Addr, tt.cfg.Host, tt.cfg.Hosts, " ", tt.host), func(t *testing.T) {
			ep, log := named(t, tt.cfg)
			for text, status := range toHost(tt.host) {
				if !tt.allowed {
					status = http.StatusMisdirectedRequest
				}
				for _, first := range []string{"", page} { // with a page, net/http has the connection
					c := dialWeb(t, ep)
					io.WriteString(c.conn, first)
					if first != "" && c.receive().body != "page" {
						t.Fatal("no page for localhost")
					}
					io.WriteString(c.conn, text)
					if a := c.receive(); a.code != status {
						t.Errorf("%q behind %q: %d, want %d", text, first, a.code, status)
					}
					if !tt.allowed {
						c.wantEnd()
					}
					c.conn.Close()
				}
			}
			if !tt.allowed {
				eventually(t, "the log names the setting", func() bool {
					return strings.Contains(fmt.Sprint(log.with("host refused")), "Config.Hosts")
				})
			}
		})
	}
}

// So it is with listeners that are given, and over TLS; what comes without a
// network, or by a Unix socket, no page can send.
func TestHostsOfListeners(t *testing.T) {
	cert, _ := selfSigned(t)
	get := func(conn net.Conn, err error) int {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		conn.SetDeadline(time.Now().Add(patience))
		io.WriteString(conn, "GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n")
		b := make([]byte, len("HTTP/1.1 200"))
		io.ReadFull(conn, b)
		var code int
		fmt.Sscanf(string(b), "HTTP/1.1 %d", &code)
		return code
	}
	secure, _ := named(t, phx.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}})
	if code := get(tls.Dial("tcp", secure.Addr().String(), &tls.Config{InsecureSkipVerify: true})); code != 421 {
		t.Errorf("over TLS: %d, want 421", code)
	}
	ep, _ := named(t, phx.Config{Addr: phx.Off})
	if code := get(ep.Dial()); code != 200 {
		t.Errorf("over Dial: %d, want 200", code)
	}
	plain, wrapped := listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "tcp", "127.0.0.1:0")
	several, nowhere := listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "tcp", "127.0.0.1:0")
	unix := listenOn(t, "unix", t.TempDir()+"/s")
	for _, tt := range []struct {
		ln   net.Listener
		code int
	}{{plain, 421}, {struct{ net.Listener }{wrapped}, 421}, {many{several, &net.UnixAddr{}}, 421}, {many{nowhere, nil}, 421}, {unix, 200}} {
		serve(ep, tt.ln)
		at := tt.ln.Addr()
		if m, ok := tt.ln.(many); ok {
			at = m.Listener.Addr()
		}
		if code := get(net.Dial(at.Network(), at.String())); code != tt.code {
			t.Errorf("over %T at %v: %d, want %d", tt.ln, at, code, tt.code)
		}
	}
}

// A many is a listener that does not tell its address.
type many struct {
	net.Listener
	at net.Addr
}

func (m many) Addr() net.Addr { return m.at }

// So it is below another server that listens at a loopback address, unless its Addr
// says that it listens at all.
func TestHostsOfServers(t *testing.T) {
	for _, tt := range []struct {
		addr, host string
		cfg        phx.Config
		code       int
	}{
		{"127.0.0.1:80", "evil.test", phx.Config{}, 421},
		{"127.0.0.1:80", "localhost", phx.Config{}, 200},
		{"127.0.0.1:80", "a.test", phx.Config{Hosts: []string{"a.test"}}, 200},
		{"127.0.0.1:80", "evil.test", phx.Config{Hosts: []string{phx.AnyHost}}, 200},
		{"localhost:80", "evil.test", phx.Config{}, 421},
		{"[::1]:80", "evil.test", phx.Config{}, 421},
		{":80", "evil.test", phx.Config{}, 200},
		{"0.0.0.0:80", "evil.test", phx.Config{}, 200},
		{"[::]:80", "evil.test", phx.Config{}, 200},
		{"", "evil.test", phx.Config{}, 421}, // of Serve
		{"", "evil.test", phx.Config{Hosts: []string{phx.AnyHost}}, 200},
		{"", "127.0.0.1:80", phx.Config{}, 200},
	} {
		ep, _ := named(t, tt.cfg)
		server := hosted(t, ep, func(s *httptest.Server) { s.Config.Addr = tt.addr })
		r, err := http.NewRequest(http.MethodGet, server.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = tt.host
		resp, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != tt.code {
			t.Errorf("a server at %q, %+v: %s is answered %d, want %d", tt.addr, tt.cfg.Hosts, tt.host, resp.StatusCode, tt.code)
		}
	}
}

// What has come to another address, or to none, has come from further away than this
// machine, or from no page.
func TestHostsOfLocalAddresses(t *testing.T) {
	ep, _ := named(t, phx.Config{})
	for _, tt := range []struct {
		at   net.Addr
		code int
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 80}, 421},
		{&net.TCPAddr{IP: net.IPv6loopback, Port: 80}, 421},
		{&net.UDPAddr{IP: net.IPv6loopback, Port: 443}, 421}, // HTTP/3
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 80}, 200},
		{&net.UnixAddr{Name: "/run/s", Net: "unix"}, 200},
		{nil, 200},
	} {
		r := httptest.NewRequest(http.MethodGet, "http://evil.test/", nil)
		if tt.at != nil {
			r = r.WithContext(context.WithValue(r.Context(), http.LocalAddrContextKey, tt.at))
		}
		w := httptest.NewRecorder()
		ep.ServeHTTP(w, r)
		if w.Code != tt.code {
			t.Errorf("at %v: %d, want %d", tt.at, w.Code, tt.code)
		}
	}
}

func TestHostsRefused(t *testing.T) {
	for _, name := range []string{"", "http://a", "a:80", "*.a", "a/b", "[::1]", "a b", "bücher.example"} {
		_, err := phx.New(phx.Config{Hosts: []string{"b", name}})
		if err == nil || !strings.Contains(err.Error(), "Hosts[1]") {
			t.Errorf("Hosts with %q: error %v, want one that names Hosts[1]", name, err)
		}
	}
}
