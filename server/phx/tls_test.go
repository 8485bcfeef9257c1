package phx_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"io"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/phx"
)

// selfSigned is a certificate for 127.0.0.1 and the pool that trusts it.
func selfSigned(t testing.TB) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	cert, pool, err := newCertificate()
	if err != nil {
		t.Fatal(err)
	}
	return cert, pool
}

func newCertificate() (tls.Certificate, *x509.CertPool, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		return tls.Certificate{}, nil, err
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool, nil
}

// startTLS is startConfig with a certificate. Its clients trust it.
func startTLS(t testing.TB, cfg phx.Config) (*phx.Endpoint, *tls.Config) {
	t.Helper()
	cert, pool := selfSigned(t)
	cfg.TLS = &tls.Config{Certificates: []tls.Certificate{cert}}
	return startConfig(t, cfg), &tls.Config{RootCAs: pool, ServerName: "127.0.0.1"}
}

// connectTLS shakes hands on a connection that ends with the test.
func connectTLS(t testing.TB, ep *phx.Endpoint, trust *tls.Config) *client {
	t.Helper()
	return connect(t, ep).shakeHands(trust)
}

// shakeHands begins TLS.
func (c *client) shakeHands(trust *tls.Config) *client {
	c.t.Helper()
	conn := tls.Client(c.conn, trust)
	conn.SetDeadline(time.Now().Add(patience))
	if err := conn.Handshake(); err != nil {
		c.t.Fatalf("TLS handshake: %v", err)
	}
	return &client{t: c.t, conn: conn}
}

// dialTLS opens a socket.
func dialTLS(t testing.TB, ep *phx.Endpoint, trust *tls.Config) *client {
	t.Helper()
	c := connectTLS(t, ep, trust)
	if status := c.upgrade(); status != "101" {
		t.Fatalf("status %s, want 101", status)
	}
	return c
}

// rooms is a mount whose topics may all be joined.
func rooms() []phx.Mount {
	return []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}}
}

// Over TLS everything is as without: sockets, pages, addresses, origins and a
// clean end (row 47).
func TestTLS(t *testing.T) {
	remote := make(chan string, 1)
	mounts := rooms()
	mounts[0].Origins = []string{phx.SelfOrigin}
	mounts[0].Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error { remote <- r.RemoteAddr; return nil }
	ep, trust := startTLS(t, phx.Config{Mounts: mounts,
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) })})
	c := connectTLS(t, ep, trust)
	c.write(request("/socket/websocket?vsn=2.0.0", "Origin: https://example.test:4000"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("answer %q, want 101", head)
	}
	if got := within(t, "Connect", remote); got != c.conn.LocalAddr().String() {
		t.Errorf("Connect saw %s, want %s", got, c.conn.LocalAddr())
	}
	c.join("a")
	if err := ep.Broadcast("a", "big", map[string]string{"x": strings.Repeat("x", 300_000)}); err != nil {
		t.Fatal(err)
	}
	if got := c.message(); len(got) < 300_000 {
		t.Errorf("a broadcast of %d bytes, want 300,000", len(got))
	}

	web := http.Client{Transport: &http.Transport{TLSClientConfig: trust, ForceAttemptHTTP2: true}, Timeout: patience}
	defer web.CloseIdleConnections()
	resp, err := web.Get("https://" + ep.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(page), "127.0.0.1:") || strings.HasSuffix(string(page), ":0") {
		t.Errorf("page %q, %v, want the client's address", page, err)
	}

	connect(t, ep) // says nothing: the end must not wait for it
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shutdown(t, ep)
	}()
	c.wantClosed(ws.StatusCode(1012))
	c.conn.Close()
	within(t, "end", ended)
}

// Who speaks HTTP where TLS is spoken is told so, as net/http does, whatever the
// method: where the loop shakes hands, and where a listener of crypto/tls does.
func TestTLSPortSpokenToInHTTP(t *testing.T) {
	cert, _ := selfSigned(t)
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	loop := startConfig(t, phx.Config{TLS: config, Mounts: rooms()})
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	foreign := startConfig(t, phx.Config{Addr: phx.Off, Mounts: rooms()})
	end := serve(foreign, tls.NewListener(plain, config))
	for _, addr := range []net.Addr{loop.Addr(), plain.Addr()} {
		for _, tt := range []struct{ line, want string }{
			{"GET / HTTP/1.1", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"},
			{"DELETE /x HTTP/1.1", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"},
			{"OPTIONS * HTTP/1.1", "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"},
			{"SSH-2.0-OpenSSH", ""},
			{"\x00\x00\x00\x00\x00", ""},
		} {
			conn, err := net.Dial("tcp", addr.String())
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			conn.SetDeadline(time.Now().Add(patience))
			if _, err := conn.Write([]byte(tt.line + "\r\nHost: a\r\n\r\n")); err != nil {
				t.Fatal(err)
			}
			got := make([]byte, len(tt.want)+1)
			if n, _ := io.ReadFull(conn, got); string(got[:n]) != tt.want { // the end may be a reset
				t.Errorf("%s, %q: got %q, want %q", addr, tt.line, got[:n], tt.want)
			}
		}
	}
	shutdown(t, foreign)
	if err := within(t, "end of Serve", end); err != http.ErrServerClosed {
		t.Errorf("Serve = %v", err)
	}
}

// A connection that had pages from Config.HTTP can become a socket, also with TLS.
func TestTLSPageThenSocket(t *testing.T) {
	ep, trust := startTLS(t, phx.Config{Mounts: rooms(),
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "page") })})
	c := connectTLS(t, ep, trust)
	for range 2 {
		c.write([]byte("GET / HTTP/1.1\r\nHost: h\r\n\r\n"))
		c.head()
		for len(c.data) < len("page") {
			if err := c.read(); err != nil {
				t.Fatal(err)
			}
		}
		c.data = nil
	}
	// What follows at once comes along, in the same record.
	join := frame.AppendMasked(nil, ws.OpText, mask, []byte(`["1","1","a","phx_join",{}]`))
	c.write(append(request("/socket/websocket?vsn=2.0.0"), join...))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("answer %q, want 101", head)
	}
	c.want(`["1","1","a","phx_reply",{"status":"ok","response":{}}]`)
	c.heartbeat()
}

// Connect, by both transports, and Config.HTTP see what the handshake has agreed on,
// such as the certificate of the client.
func TestTLSClientCertificate(t *testing.T) {
	seen := make(chan *tls.ConnectionState, 1)
	mounts := rooms()
	mounts[0].LongPoll = &phx.LongPoll{}
	mounts[0].Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error { seen <- r.TLS; return nil }
	cert, pool := selfSigned(t)
	ep := startConfig(t, phx.Config{Mounts: mounts,
		TLS:  &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert},
		HTTP: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen <- r.TLS })})
	trust := &tls.Config{RootCAs: pool, ServerName: "127.0.0.1", Certificates: []tls.Certificate{cert}}
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		trust.MaxVersion = version
		for _, ask := range []string{
			string(request("/socket/websocket?vsn=2.0.0")),
			"GET /socket/longpoll?vsn=2.0.0 HTTP/1.1\r\nHost: h\r\n\r\n",
			"GET /page HTTP/1.1\r\nHost: h\r\n\r\n",
		} {
			c := connectTLS(t, ep, trust)
			c.write([]byte(ask))
			state := within(t, "request", seen)
			if state == nil || state.Version != version || len(state.PeerCertificates) != 1 {
				t.Errorf("%.30q: r.TLS is %+v, want one of version %x with a certificate", ask, state, version)
			}
			c.head()
		}
	}
}

// Connections that shake hands count, by address, too, and those beyond a bound are
// just closed: they could not read why.
func TestTLSCounts(t *testing.T) {
	for want, cfg := range map[phx.Refusals]phx.Config{
		{Full: 1}:       {Loops: 1, MaxConns: 3, Mounts: rooms()},
		{PerAddress: 1}: {Loops: 1, MaxConnsPerIP: 3, Mounts: rooms()},
	} {
		ep, trust := startTLS(t, cfg)
		socket := dialTLS(t, ep, trust)
		silent, stalled := connect(t, ep), connect(t, ep)
		stalled.write([]byte{22, 3, 1, 2, 0, 1}) // of a ClientHello
		eventually(t, "three connections", func() bool { return ep.Stats().Connections == 3 })
		connect(t, ep).wantEOF()
		if got := ep.Stats().Refused; got != want {
			t.Errorf("refused %+v, want %+v", got, want)
		}
		silent.hangUp(true)
		stalled.hangUp(true)
		eventually(t, "they are gone", func() bool { return ep.Stats().Connections == 1 })
		dialTLS(t, ep, trust).heartbeat()
		socket.heartbeat()
	}
}

// Clients that stall in their handshake are closed when its time is over, and hold up no
// one meanwhile, not even others of their address.
func TestTLSStalledHandshakes(t *testing.T) {
	t.Parallel()
	ep, trust := startTLS(t, phx.Config{HandshakeTimeout: 5 * time.Second, Mounts: rooms()}) // which one that does not stall has, too
	hello := clientHello(t, trust)
	var stalled []*client
	for i := range 200 {
		c := connect(t, ep)
		c.write(hello[:len(hello)-i%2]) // whole, or not quite
		stalled = append(stalled, c)
	}
	dialTLS(t, ep, trust).heartbeat()
	for _, c := range stalled {
		for err := error(nil); err == nil; err = c.read() { // what comes is the server's flight
		}
	}
	eventually(t, "they are gone", func() bool { return ep.Stats().Connections == 1 })
}

// clientHello is the first that a client says.
func clientHello(t testing.TB, trust *tls.Config) []byte {
	t.Helper()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	go func() { // ends with the pipe
		_ = tls.Client(ours, trust).Handshake()
		ours.Close()
	}()
	b := make([]byte, 4096)
	n, err := theirs.Read(b)
	if err != nil {
		t.Fatal(err)
	}
	return b[:n]
}

// The header of the PROXY protocol comes before TLS, in one segment with it or not.
func TestTLSBehindProxy(t *testing.T) {
	remote := make(chan string, 1)
	mounts := rooms()
	mounts[0].Connect = func(_ *phx.Socket, _ phx.Params, r *http.Request) error { remote <- r.RemoteAddr; return nil }
	ep, trust := startTLS(t, phx.Config{Mounts: mounts, ProxyProtocol: true, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}})
	for _, together := range []bool{false, true} {
		c := connect(t, ep)
		header := []byte(proxyHeader(1, 0x11, proxy4...))
		if together {
			c.conn = &prefixed{c.conn, header}
		} else {
			c.write(header)
		}
		if status := c.shakeHands(trust).upgrade(); status != "101" {
			t.Errorf("status %s, want 101", status)
		}
		if got := within(t, "Connect", remote); got != "192.0.2.1:12345" {
			t.Errorf("Connect saw %s", got)
		}
	}
}

// prefixed sends something before the first that it is given.
type prefixed struct {
	net.Conn
	prefix []byte
}

func (p *prefixed) Write(b []byte) (int, error) {
	_, err := p.Conn.Write(append(p.prefix, b...))
	p.prefix = nil
	return len(b), err
}

// A slow consumer is told so, whatever of a broadcast has been encrypted by then.
func TestTLSSlowConsumer(t *testing.T) {
	ep, trust := startTLS(t, phx.Config{Mounts: rooms(), OutboundHigh: 1 << 20, WriteTimeout: time.Second})
	c := dialTLS(t, ep, trust)
	c.join("a")
	text := map[string]string{"x": strings.Repeat("x", 100_000)}
	eventually(t, "it is slow", func() bool {
		_ = ep.Broadcast("a", "e", text) // fails while the room is full
		return ep.Stats().SlowConsumers == 1
	})
	for {
		f := c.next()
		if f.Op == ws.OpText {
			continue
		}
		if code, _ := frame.ParseClose(f.Payload); f.Op != ws.OpClose || code != 1013 {
			t.Errorf("the end is %v %d, want a Close frame with 1013", f.Op, code)
		}
		break
	}
	c.wantEOF()
}

// A client with TLS takes one descriptor, and no goroutine.
func TestTLSCosts(t *testing.T) {
	const n = 200
	ep, trust := startTLS(t, phx.Config{Mounts: rooms()})
	dialTLS(t, ep, trust).join("a")
	runtime.GC() // closes what other tests forgot
	files, goroutines := openFiles(t), runtime.NumGoroutine()
	for range n {
		dialTLS(t, ep, trust).join("a")
	}
	eventually(t, "the goroutines of handshakes have ended", func() bool { return runtime.NumGoroutine() <= goroutines+50 })
	if took := openFiles(t) - files; took != 2*n { // one is the client's
		t.Errorf("%d clients take %d descriptors on both sides, want %d", n, took, 2*n)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}

// Without an address only Dial connects.
func TestDialWithoutANetwork(t *testing.T) {
	ep, err := phx.Start(phx.Config{Addr: phx.Off, Logger: slog.New(slog.DiscardHandler),
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer shutdown(t, ep)
	if ep.Addr() != nil {
		t.Errorf("it listens on %v", ep.Addr())
	}
	conn, err := ep.Dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, conn: conn}
	c.write(request("/socket/websocket?vsn=2.0.0"))
	c.head()
	c.join("a")
}
