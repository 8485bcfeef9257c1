package phx_test

import (
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/roost-rt/roost/server/phx"
)

// listenOn is net.Listen for a listener that a test gives away.
func listenOn(t testing.TB, network, addr string) net.Listener {
	t.Helper()
	ln, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// serve has a listener served and returns where the end of it is told.
func serve(ep *phx.Endpoint, ln net.Listener) <-chan error {
	ended := make(chan error, 1)
	go func() { ended <- ep.Serve(ln) }()
	return ended
}

// pipes is a listener whose connections have no network.
type pipes chan net.Conn

func (p pipes) Accept() (net.Conn, error) {
	if c, ok := <-p; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (p pipes) Close() error   { defer func() { _ = recover() }(); close(p); return nil }
func (p pipes) Addr() net.Addr { c, _ := net.Pipe(); return c.LocalAddr() }

// An endpoint serves several listeners, whatever they are, until Shutdown.
func TestServe(t *testing.T) {
	remotes := make(chan string, 1)
	m := phx.Mount{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}, Origins: []string{phx.SelfOrigin}}
	m.Connect = func(s *phx.Socket, _ phx.Params, r *http.Request) error {
		if s.RemoteAddr() != r.RemoteAddr {
			t.Errorf("the socket is from %s, its request from %s", s.RemoteAddr(), r.RemoteAddr)
		}
		remotes <- r.RemoteAddr
		return nil
	}
	ep := newEndpoint(t, phx.Config{Mounts: []phx.Mount{m}})
	if ep.Addr() != nil {
		t.Errorf("it listens on %v before Serve", ep.Addr())
	}
	cert, pool := selfSigned(t)
	path := filepath.Join(t.TempDir(), "roost.sock")
	tcp, unix, secure := listenOn(t, "tcp", "127.0.0.1:0"), listenOn(t, "unix", path), listenOn(t, "tcp", "127.0.0.1:0")
	wrapped, piped := listenOn(t, "tcp", "127.0.0.1:0"), make(pipes)
	ends := []<-chan error{serve(ep, tcp)}
	eventually(t, "it listens", func() bool { return ep.Addr() != nil })
	ends = append(ends, serve(ep, unix), serve(ep, tls.NewListener(secure, &tls.Config{Certificates: []tls.Certificate{cert}})),
		serve(ep, struct{ net.Listener }{wrapped}), serve(ep, piped))
	if ep.Addr() != tcp.Addr() {
		t.Errorf("Addr() = %v, want that of the first, %v", ep.Addr(), tcp.Addr())
	}
	near, far := net.Pipe()
	piped <- far
	tlsConn, err := tls.Dial("tcp", secure.Addr().String(), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	var clients []*client
	for _, tt := range []struct {
		name, origin string
		conn         net.Conn
	}{
		{"TCP", "http://example.test:4000", connectTo(t, tcp.Addr()).conn},
		{"Unix", "http://example.test:4000", connectTo(t, unix.Addr()).conn},
		{"TLS", "https://example.test:4000", tlsConn},
		{"wrapped", "http://example.test:4000", connectTo(t, wrapped.Addr()).conn},
		{"pipe", "http://example.test:4000", near},
	} {
		c := &client{t: t, conn: tt.conn}
		if got := c.upgradeAt("/socket/websocket?vsn=2.0.0", "Origin: "+tt.origin); got != "101" {
			t.Fatalf("%s: answer %s, want 101", tt.name, got)
		}
		want := "127.0.0.1:0"
		if addr, ok := tt.conn.LocalAddr().(*net.TCPAddr); ok {
			want = addr.String()
		}
		if got := within(t, "Connect", remotes); got != want {
			t.Errorf("%s: Connect saw %s, want %s", tt.name, got, want)
		}
		c.join("a")
		clients = append(clients, c)
	}
	done := make(chan bool)
	go func() { shutdown(t, ep); close(done) }()
	for _, c := range clients {
		c.wantClosed(1012)
		c.hangUp(false)
	}
	within(t, "end of Shutdown", done)
	for _, end := range append(ends, serve(ep, listenOn(t, "tcp", "127.0.0.1:0"))) {
		if err := within(t, "end of Serve", end); err != http.ErrServerClosed {
			t.Errorf("Serve: %v, want http.ErrServerClosed", err)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the file of the Unix socket: %v, want none", err)
	}
}

// A listener that ends by itself ends Serve, and no other.
func TestServeEnds(t *testing.T) {
	ep := newEndpoint(t, phx.Config{Mounts: sockets()})
	p := make(pipes)
	ended, other := serve(ep, p), serve(ep, listenOn(t, "tcp", "127.0.0.1:0"))
	eventually(t, "both are served", func() bool { return ep.Listeners() == 2 })
	p.Close()
	if err := within(t, "end of Serve", ended); !errors.Is(err, net.ErrClosed) {
		t.Errorf("Serve: %v, want net.ErrClosed", err)
	}
	dial(t, ep).heartbeat() // at the address of the other
	select {
	case err := <-other:
		t.Errorf("the other ends, too: %v", err)
	default:
	}
}

// Limits and proxies count also those who come through a Unix socket or a wrapped
// listener.
func TestServeLimits(t *testing.T) {
	ep := newEndpoint(t, phx.Config{
		Loops: 1, MaxConnsPerIP: 1, Mounts: sockets(), ProxyProtocol: true,
		TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")},
	})
	unix, wrapped := listenOn(t, "unix", filepath.Join(t.TempDir(), "roost.sock")), listenOn(t, "tcp", "127.0.0.1:0")
	serve(ep, unix)
	serve(ep, struct{ net.Listener }{wrapped})
	for i, ln := range []net.Listener{unix, wrapped} {
		ip := []byte{10, 0, 0, byte(i)}
		client := netip.AddrFrom4([4]byte(ip)).String()
		header := []byte(proxyHeader(1, 0x11, append(ip, 0, 0, 0, 0, 0, 1, 0, 2)...))
		first := connectTo(t, ln.Addr())
		first.write(header)
		if got := first.upgradeAt("/socket/websocket?vsn=2.0.0"); got != "101" {
			t.Fatalf("%v: answer %s, want 101", ln.Addr(), got)
		}
		if n := ep.Visits(client); n != 1 {
			t.Errorf("%v: %d connections of %s counted, want 1", ln.Addr(), n, client)
		}
		second := connectTo(t, ln.Addr())
		second.write(header)
		second.wantRefused()
		local := connectTo(t, ln.Addr()) // LOCAL: a health check of the proxy's
		local.write([]byte(proxyHeader(0, 0)))
		local.upgradeAt("/socket/websocket?vsn=2.0.0")
	}
}

// TLS of Config covers the listeners of Serve.
func TestServeTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	ep := newEndpoint(t, phx.Config{TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Mounts: sockets()})
	unix := listenOn(t, "unix", filepath.Join(t.TempDir(), "roost.sock"))
	ended := serve(ep, unix)
	raw := connectTo(t, unix.Addr()).conn
	c := &client{t: t, conn: tls.Client(raw, &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"})}
	if got := c.upgradeAt("/socket/websocket?vsn=2.0.0"); got != "101" {
		t.Fatalf("answer %s, want 101", got)
	}
	c.heartbeat()
	c.wantDrained(ep)
	if err := within(t, "end of Serve", ended); err != http.ErrServerClosed {
		t.Errorf("Serve: %v, want http.ErrServerClosed", err)
	}
}

// Start listens on a Unix socket, too.
func TestStartUnix(t *testing.T) {
	path := filepath.Join(t.TempDir(), "roost.sock")
	ep, err := phx.Start(phx.Config{Addr: "unix:" + path, Mounts: sockets(), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })
	if got := ep.Addr().String(); got != path {
		t.Errorf("Addr() = %s, want %s", got, path)
	}
	c := connectTo(t, ep.Addr())
	if got := c.upgradeAt("/socket/websocket?vsn=2.0.0"); got != "101" {
		t.Fatalf("answer %s, want 101", got)
	}
	c.heartbeat()
	c.wantDrained(ep)
}
