package poller_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// A secureClient collects what comes back on one connection.
type secureClient struct {
	ready  chan *poller.Conn
	got    chan []byte
	closed chan error
}

func (c secureClient) Data(_ *poller.Conn, data []byte) { c.got <- bytes.Clone(data) }
func (c secureClient) Timeout(conn *poller.Conn)        { conn.Kill(poller.ErrTimeout) }
func (c secureClient) Closed(_ *poller.Conn, err error) { c.closed <- err }
func (c secureClient) shaken(conn *poller.Conn)         { c.ready <- conn }
func (c secureClient) read(t testing.TB, n int) (b []byte) {
	t.Helper()
	for len(b) < n {
		b = append(b, within(t, c.got)...)
	}
	return b
}

// dialSecure has a poller connect to addr.
func dialSecure(t testing.TB, p *poller.Poller, pool *poller.Pool, addr string, cfg *tls.Config) secureClient {
	t.Helper()
	c := secureClient{make(chan *poller.Conn, 1), make(chan []byte, 1000), make(chan error, 1)}
	err := p.Dial(netip.Addr{}, netip.MustParseAddrPort(addr), func(conn *poller.Conn) poller.Handler {
		conn.SetDeadline(10 * time.Second)
		return conn.SecureClient(cfg, pool, c, c.shaken)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// The client's end of TLS: whatever the version, what is sent comes back, and the
// handler has nothing before the handshake is done.
func TestTLSClient(t *testing.T) {
	t.Parallel()
	s := secureEcho(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := dialSecure(t, s.poller, s.pool, s.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: version})
		conn := within(t, c.ready)
		if got := conn.ConnectionState(); got == nil || got.Version != version {
			t.Errorf("state %+v, want version %x", got, version)
		}
		for _, n := range []int{1, 20_000, 300_000} {
			sent := noise(n)
			if err := conn.Send(sent); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(c.read(t, n), sent) {
				t.Errorf("%d bytes came back otherwise", n)
			}
		}
		conn.Finish(nil)
		within(t, c.closed)
	}
}

// Whom a client does not trust gets the alert, and the handler the reason.
func TestTLSClientDistrusts(t *testing.T) {
	t.Parallel()
	s := secureEcho(t)
	for want, cfg := range map[string]*tls.Config{
		"x509: certificate": {ServerName: "127.0.0.1"},
		"x509":              {ServerName: "another.test", RootCAs: trustedBy(t)},
	} {
		c := dialSecure(t, s.poller, s.pool, s.addr, cfg)
		if err := within(t, c.closed); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("closed with %v, want %q", err, want)
		}
	}
	c := dialSecure(t, s.poller, s.pool, s.addr, &tls.Config{ServerName: "127.0.0.1", RootCAs: trustedBy(t)})
	within(t, c.ready)
}

func trustedBy(t testing.TB) *x509.CertPool {
	t.Helper()
	leaf, err := x509.ParseCertificate(certificate().Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	return pool
}

// A server that says nothing, one that speaks no TLS, and one that is not there.
func TestTLSClientOfNoTLS(t *testing.T) {
	t.Parallel()
	s := listenTLS(t, poller.Config{Linger: 50 * time.Millisecond}, poller.PoolConfig{Places: 2, MaxWorkers: 100}, hooksEcho)
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	var answer atomic.Pointer[string]
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			if text := answer.Load(); text != nil {
				_, _ = io.WriteString(conn, *text) // the client tells
			}
			context.AfterFunc(t.Context(), func() { conn.Close() })
		}
	}()
	c := secureClient{make(chan *poller.Conn, 1), make(chan []byte, 1), make(chan error, 1)}
	err = s.poller.Dial(netip.Addr{}, netip.MustParseAddrPort(ln.Addr().String()), func(conn *poller.Conn) poller.Handler {
		conn.SetDeadline(50 * time.Millisecond)
		return conn.SecureClient(trusting, s.pool, c, c.shaken)
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := within(t, c.closed); err != poller.ErrTimeout {
		t.Errorf("a mute server: %v, want ErrTimeout", err)
	}
	plain := "HTTP/1.1 400 Bad Request\r\n\r\n"
	answer.Store(&plain)
	c = dialSecure(t, s.poller, s.pool, ln.Addr().String(), trusting)
	if err := within(t, c.closed); err == nil || !strings.Contains(err.Error(), "does not look like a TLS handshake") {
		t.Errorf("a server without TLS: %v", err)
	}
	ln.Close()
	c = dialSecure(t, s.poller, s.pool, ln.Addr().String(), trusting)
	if err := within(t, c.closed); err == nil || !strings.Contains(err.Error(), "refused") {
		t.Errorf("no server: %v", err)
	}
}

// A session goes on with the next client of the same cache, once the ticket has come
// (in TLS 1.3 after the handshake).
func TestTLSClientResumes(t *testing.T) {
	t.Parallel()
	s := secureEcho(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		cfg := &tls.Config{ServerName: "127.0.0.1", RootCAs: trustedBy(t), MaxVersion: version, ClientSessionCache: tls.NewLRUClientSessionCache(1)}
		for n, resumed := range []bool{false, true, true} {
			c := dialSecure(t, s.poller, s.pool, s.addr, cfg)
			conn := within(t, c.ready)
			if got := conn.ConnectionState().DidResume; got != resumed {
				t.Errorf("version %x, client %d: resumed %v, want %v", version, n, got, resumed)
			}
			if err := conn.Send([]byte("x")); err != nil { // the ticket comes before the answer
				t.Fatal(err)
			}
			c.read(t, 1)
		}
	}
}

// Handshakes take turns of the pool: more of them than it has workers wait.
func TestTLSClientsShareThePool(t *testing.T) {
	t.Parallel()
	s := secureEcho(t)
	pool, err := poller.NewPool(poller.PoolConfig{Places: 1, MaxWorkers: 2})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	var clients []secureClient
	for range 20 {
		clients = append(clients, dialSecure(t, s.poller, pool, s.addr, trusting))
	}
	for _, c := range clients {
		within(t, c.ready)
	}
}
