package main_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// selfSigned writes a certificate for localhost and its key.
func selfSigned(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"localhost"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	for name, block := range map[string]*pem.Block{"cert.pem": {Type: "CERTIFICATE", Bytes: der}, "key.pem": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(folder, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(folder, "cert.pem"), filepath.Join(folder, "key.pem")
}

// A server behind TLS is tested as any other, through agents too. What was secret in
// the command is in none of the files of the run.
func TestRunOverTLS(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	server := serve(t, program, "internal-server", "-tls-cert", cert, "-tls-key", key)
	url := "wss://al:s3cret@" + strings.Replace(server.addr, "127.0.0.1", "localhost", 1) + "/socket/websocket?token=s3cret&a=%7e"
	said := []string{"-header", "Authorization: Bearer s3cret", "-param", "api_key=s3cret", "-auth-token", "s3cret"}
	agent := serve(t, program, "agent", "-listen", "127.0.0.1:0", "-from", "127.0.0.9,127.8.0.0/16")
	for name, args := range map[string][]string{
		"here":        {"-ca", cert},
		"at an agent": {"-ca", cert, "-resume", "-agents", agent.addr},
	} {
		c, out := start(t, append(append([]string{"-url", url, "-clients", "40", "-messages", "2", "-rate", "10", "-out", "run"}, said...), args...)...)
		if code := exitCode(t, c.Wait()); code != 0 || !strings.Contains(out.String(), "handshakes") {
			t.Errorf("%s: exit code %d, want 0 and handshakes counted:\n%s", name, code, out)
		}
		if name != "here" && !strings.Contains(out.String(), "connect from 127.0.0.9,127.8.0.0/16 in turn") {
			t.Errorf("the plan does not say what the agent's clients connect from:\n%s", out)
		}
		holds(t, filepath.Join(c.Dir, "run"), "a=%7e", "s3cret")
	}
	c, out := start(t, "-url", url, "-clients", "10")
	if code := exitCode(t, c.Wait()); code != 1 || !strings.Contains(out.String(), "certificate") || strings.Contains(out.String(), "s3cret") {
		t.Errorf("exit code %d without the CA, want 1 and why:\n%s", code, out)
	}
}

// holds checks that some file below folder has one text, and none the other.
func holds(t *testing.T, folder, want, not string) {
	t.Helper()
	found := false
	err := filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), not) {
			t.Errorf("%s tells %q", path, not)
		}
		found = found || strings.Contains(string(text), want)
		return err
	})
	if err != nil || !found {
		t.Errorf("no file of %s has %q, error %v", folder, want, err)
	}
}
