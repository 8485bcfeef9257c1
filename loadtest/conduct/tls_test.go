package conduct_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"log"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/conduct"
	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/poller"
)

// An authority signs certificates, which lie in a folder: ca.pem, and NAME.pem with
// NAME.key.
type authority struct {
	folder string
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"}, NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	a := &authority{t.TempDir(), cert, key}
	a.write(t, "ca.pem", "CERTIFICATE", der)
	return a
}

func (a *authority) file(name string) string { return filepath.Join(a.folder, name) }

func (a *authority) write(t *testing.T, name, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(a.file(name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// sign makes a certificate for a name.
func (a *authority) sign(t *testing.T, name string) tls.Certificate {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(2), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{name}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, template, a.cert, key.Public(), a.key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	a.write(t, name+".pem", "CERTIFICATE", der)
	a.write(t, name+".key", "PRIVATE KEY", private)
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

// secure runs the fake behind TLS.
func (f *fake) secure(t *testing.T, cfg *tls.Config) *fake {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	p, err := poller.New(poller.Config{Loops: 1, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	pool, err := poller.NewPool(poller.PoolConfig{Places: 1, MaxWorkers: 100, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		return c.Secure(cfg, pool, nil, &member{fake: f, conn: c})
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ln.Close()
		p.Close()
		if err := pool.Close(10 * time.Second); err != nil {
			t.Error(err)
		}
	})
	f.url = "wss://" + ln.Addr().String()
	return f
}

// A run over TLS accounts for all that a run without it does. It trusts whom it is
// told to, asks for the name that it is told, shows its certificate, and counts
// handshakes and those of them that resumed a session.
func TestRunOverTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	var asked atomic.Value
	server := &tls.Config{Certificates: []tls.Certificate{a.sign(t, "chat.test")}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: x509.NewCertPool()}
	server.ClientCAs.AddCert(a.cert)
	server.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		asked.Store(hello.ServerName)
		return nil, nil
	}
	a.sign(t, "client.test")
	f := (&fake{}).secure(t, server)
	for _, resume := range []bool{false, true} {
		cfg := config(f)
		many := int64(20)
		if resume { // more than may connect at a time: the last can resume the session of the first to join
			many = 260
		}
		cfg.Clients, cfg.Messages = int(many), 1
		cfg.TLS = order.TLS{CA: a.file("ca.pem"), Cert: a.file("client.test.pem"), Key: a.file("client.test.key"), ServerName: "chat.test", Resume: resume}
		if _, _, err := conduct.Probe(t.Context(), cfg); err != nil {
			t.Fatalf("Probe() = %v", err)
		}
		end, _, err := run(t, t.Context(), cfg)
		if got, want := accountOf(end), (account{many, many, many, 0, 0, 0}); err != nil || got != want {
			t.Errorf("resume %v: %+v, %v, errors %v, want %+v", resume, got, err, end.Errors, want)
		}
		if end.Secured != many || (end.Resumed > 0) != resume || end.Resumed >= many {
			t.Errorf("resume %v: %d handshakes, %d resumed", resume, end.Secured, end.Resumed)
		}
		if got := asked.Load(); got != "chat.test" {
			t.Errorf("clients asked for %q, want chat.test", got)
		}
		f.mu.Lock()
		f.members, f.joins = nil, 0
		f.mu.Unlock()
	}
}

// What TLS does not let through is said before the run, and counted by its kind
// where a run finds it.
func TestTLSRefused(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	f := (&fake{}).secure(t, &tls.Config{Certificates: []tls.Certificate{a.sign(t, "chat.test")}})
	plain := httptest.NewServer(http.NotFoundHandler())
	plain.Config.ErrorLog = log.New(io.Discard, "", 0)
	defer plain.Close()
	for _, test := range []struct {
		url  string
		tls  order.TLS
		want string
	}{
		{f.url, order.TLS{Insecure: true}, ""},
		{f.url, order.TLS{CA: a.file("ca.pem"), ServerName: "chat.test"}, ""},
		{f.url, order.TLS{}, "does not take TLS: tls: failed to verify certificate"},
		{f.url, order.TLS{CA: a.file("ca.pem"), ServerName: "other.test"}, "not other.test"},
		{f.url, order.TLS{CA: a.file("chat.test.key")}, "has no certificate in PEM"},
		{f.url, order.TLS{CA: a.file("nothing")}, "no such file"},
		{strings.Replace(plain.URL, "http:", "wss:", 1), order.TLS{Insecure: true}, "does not take TLS"},
		{strings.Replace(f.url, "wss:", "ws:", 1), order.TLS{}, "does not upgrade to WebSocket"},
	} {
		_, _, err := conduct.Probe(t.Context(), plan.Config{URL: test.url, TLS: test.tls})
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("Probe(%s, %+v) = %v, want %q", test.url, test.tls, err, test.want)
		}
	}
	cfg := config(f)
	cfg.TLS.CA = a.file("ca.pem")
	cfg.Scenario, cfg.For, cfg.Heartbeat = plan.Idle, 100*time.Millisecond, 50*time.Millisecond
	end, _, err := run(t, t.Context(), cfg)
	if err != nil || end.Joined != 0 || end.Secured != 0 {
		t.Errorf("%d joined, %d handshakes, %v, want none", end.Joined, end.Secured, err)
	}
	for kind, n := range end.Errors {
		if !strings.Contains(kind, "x509") || n != clients {
			t.Errorf("error %q × %d, want one about the certificate for each client", kind, n)
		}
	}
}

// Each source has its turn at each address of the server.
func TestSourcesByTurns(t *testing.T) {
	t.Parallel()
	fakes := []*fake{(&fake{}).start(t), (&fake{}).start(t)}
	cfg := config(fakes[0])
	cfg.Clients, cfg.Messages = 60, 1
	for _, f := range fakes {
		cfg.Addrs = append(cfg.Addrs, netip.MustParseAddrPort(strings.TrimPrefix(f.url, "ws://")))
	}
	cfg.From = order.Sources{netip.MustParsePrefix("127.1.1.1/32"), netip.MustParsePrefix("127.2.2.2/32"), netip.MustParsePrefix("127.3.0.0/16")}
	end, _, err := run(t, t.Context(), cfg)
	if err != nil || end.Joined != 60 {
		t.Fatalf("%d joined, %v, errors %v, want all", end.Joined, err, end.Errors)
	}
	for _, f := range fakes {
		from := make(map[string]int)
		f.mu.Lock()
		for _, addr := range f.from {
			from[addr.Addr().String()]++
		}
		f.mu.Unlock()
		if from["127.1.1.1"] != 10 || from["127.2.2.2"] != 10 || len(from) != 12 {
			t.Errorf("clients of %s connect from %v, want 10 from each of two addresses and one from each of ten", f.url, from)
		}
	}
}

// A name with several addresses has its clients spread over all that answer.
func TestAddressesByTurns(t *testing.T) {
	t.Parallel()
	f := (&fake{}).start(t)
	other := (&fake{}).start(t)
	cfg := config(f)
	for _, of := range []*fake{f, other} {
		cfg.Addrs = append(cfg.Addrs, netip.MustParseAddrPort(strings.TrimPrefix(of.url, "ws://")))
	}
	end, _, err := run(t, t.Context(), cfg)
	if err != nil || end.Joined != clients {
		t.Errorf("%d joined, %v, want all", end.Joined, err)
	}
	for _, of := range []*fake{f, other} {
		of.mu.Lock()
		if of.joins != clients/2 {
			t.Errorf("%s has %d clients, want half of %d", of.url, of.joins, clients)
		}
		of.mu.Unlock()
	}
}
