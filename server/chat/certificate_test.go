package chat_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/server/chat"
)

// A keyPair is where a certificate and its key are.
type keyPair struct{ cert, key string }

// newKeyPair writes a certificate of a name to files in a directory.
func newKeyPair(t *testing.T, dir, name string) keyPair {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), Subject: pkix.Name{CommonName: name},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	p := keyPair{filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")}
	write(t, p.cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}))
	write(t, p.key, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
	return p
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// replace puts other files in the place of p's, as programs that renew certificates
// do.
func (p keyPair) replace(t *testing.T, with keyPair) {
	t.Helper()
	for was, is := range map[string]string{p.cert: with.cert, p.key: with.key} {
		if err := os.Rename(is, was); err != nil {
			t.Fatal(err)
		}
	}
}

// A lockedBuffer may be written to while it is read.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// shown is the name in the certificate that a server shows.
func shown(t *testing.T, addr string) string {
	t.Helper()
	conn, err := tls.Dial("tcp", addr, &tls.Config{InsecureSkipVerify: true})
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.ConnectionState().PeerCertificates[0].Subject.CommonName
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !holds(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("not within %v: %s", patience, what)
		}
	}
}

// A new certificate is used without a restart: when the files have changed, or at
// SIGHUP. One that is no good is not, and the log says so once.
func TestCertificateChanges(t *testing.T) {
	dir := t.TempDir()
	files := newKeyPair(t, dir, "first")
	t.Setenv("ROOST_TLS_KEY", files.key)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	outR, stdout := io.Pipe()
	var stderr lockedBuffer
	code := make(chan int, 1)
	go func() { // the test waits for it
		code <- chat.Main(ctx, []string{"-addr", "127.0.0.1:0", "-tls-cert", files.cert}, stdout, &stderr)
		stdout.Close()
	}()
	line, err := bufio.NewReader(outR).ReadString('\n')
	addr, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		t.Fatalf("the server says %q, %v and %s", line, err, &stderr)
	}
	if got := shown(t, addr); got != "first" {
		t.Errorf("it shows %s, want the first", got)
	}

	files.replace(t, newKeyPair(t, dir, "second"))
	eventually(t, "the second is shown", func() bool { return shown(t, addr) == "second" })

	write(t, files.key, []byte("nonsense"))
	eventually(t, "the log says that it is no good", func() bool {
		return shown(t, addr) == "second" && strings.Contains(stderr.String(), "not used")
	})

	files.replace(t, newKeyPair(t, dir, "third"))
	if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the third is shown", func() bool { return shown(t, addr) == "third" })
	if n := strings.Count(stderr.String(), "not used"); n != 1 {
		t.Errorf("%d lines say that a certificate is not used, want one:\n%s", n, &stderr)
	}
	cancel()
	if got := <-code; got != 0 {
		t.Errorf("exit code %d and %s", got, &stderr)
	}
}

// Flags that are no good are said to be so.
func TestCertificateFlags(t *testing.T) {
	files := newKeyPair(t, t.TempDir(), "a")
	other := newKeyPair(t, t.TempDir(), "b")
	for want, args := range map[string][]string{
		"needs both -tls-cert and -tls-key": {"-tls-cert", files.cert},
		"no such file":                      {"-tls-cert", files.cert, "-tls-key", "/nowhere/file"},
		"private key does not match":        {"-tls-cert", files.cert, "-tls-key", other.key},
	} {
		var stderr bytes.Buffer
		code := chat.Main(t.Context(), append([]string{"-addr", "127.0.0.1:0"}, args...), io.Discard, &stderr)
		if code != 2 || !strings.Contains(stderr.String(), want) {
			t.Errorf("%v: exit code %d and %q, want 2 and %q", args, code, stderr.String(), want)
		}
	}
}
