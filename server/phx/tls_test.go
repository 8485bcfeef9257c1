package phx_test

import (
	"bytes"
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
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// selfSigned is a certificate for 127.0.0.1 and the pool that trusts it.
func selfSigned(t *testing.T) (tls.Certificate, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(parsed)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, pool
}

// Over TLS everything is as without: sockets, pages, addresses, origins and a
// clean end (row 47).
func TestTLS(t *testing.T) {
	cert, pool := selfSigned(t)
	remote := make(chan string, 1)
	ep, err := phx.Start(phx.Config{
		Addr: "127.0.0.1:0", TLS: &tls.Config{Certificates: []tls.Certificate{cert}}, Logger: slog.New(slog.DiscardHandler),
		Mounts: []phx.Mount{{Path: "/socket", Origins: []string{phx.SelfOrigin}, Routes: []phx.Route{{Pattern: "*", Type: &phx.ChannelType{}}},
			Connect: func(_ *phx.Socket, _ phx.Params, r *http.Request) error { remote <- r.RemoteAddr; return nil }}},
		HTTP: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }),
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { shutdown(t, ep) })

	conn, err := tls.Dial("tcp", ep.Addr().String(), &tls.Config{RootCAs: pool})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	c := &client{t: t, conn: conn}
	c.write(request("/socket/websocket?vsn=2.0.0", "Origin: https://example.test:4000"))
	if head := c.head(); !strings.HasPrefix(head, "HTTP/1.1 101 ") {
		t.Fatalf("answer %q, want 101", head)
	}
	if got := within(t, "Connect", remote); got != conn.LocalAddr().String() {
		t.Errorf("Connect saw %s, want %s", got, conn.LocalAddr())
	}
	c.join("a")
	if err := ep.Broadcast("a", "big", map[string]string{"x": strings.Repeat("x", 300_000)}); err != nil {
		t.Fatal(err)
	}
	if got := c.message(); len(got) < 300_000 {
		t.Errorf("a broadcast of %d bytes, want 300,000", len(got))
	}

	web := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: pool}}, Timeout: patience}
	defer web.CloseIdleConnections()
	resp, err := web.Get("https://" + ep.Addr().String() + "/")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if page, err := io.ReadAll(resp.Body); err != nil || !strings.HasPrefix(string(page), "127.0.0.1:") || strings.HasSuffix(string(page), ":0") {
		t.Errorf("page %q, %v, want the client's address", page, err)
	}

	idle, err := net.Dial("tcp", ep.Addr().String()) // says nothing: the end must not wait for it
	if err != nil {
		t.Fatal(err)
	}
	defer idle.Close()
	shutdown(t, ep)
	c.wantClosed(ws.StatusCode(1012))
}

// A fullListener never has descriptors.
type fullListener struct {
	calls  chan time.Time
	closed chan struct{}
}

func (l *fullListener) Accept() (net.Conn, error) {
	select {
	case l.calls <- time.Now():
		return nil, &net.OpError{Op: "accept", Err: os.NewSyscallError("accept4", syscall.EMFILE)}
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *fullListener) Close() error   { close(l.closed); return nil }
func (l *fullListener) Addr() net.Addr { return nil }

// Without descriptors, the loop that accepts for TLS waits longer and longer, and
// says so once.
func TestTLSOutOfDescriptors(t *testing.T) {
	var out bytes.Buffer
	ln := &fullListener{make(chan time.Time), make(chan struct{})}
	stop := phx.AcceptTLS(ln, slog.New(slog.NewTextHandler(&out, nil)))
	first := within(t, "Accept", ln.calls)
	for range 4 {
		within(t, "Accept", ln.calls)
	}
	took := within(t, "Accept", ln.calls).Sub(first)
	stop()
	if least := (5 + 10 + 20 + 40 + 80) * time.Millisecond; took < least {
		t.Errorf("six calls of Accept within %v, want at least %v", took, least)
	}
	if n := strings.Count(out.String(), "\n"); n != 1 || !strings.Contains(out.String(), "ulimit") {
		t.Errorf("%d lines of log, want one with what to do:\n%s", n, &out)
	}
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
