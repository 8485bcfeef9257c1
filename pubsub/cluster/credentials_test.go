package cluster_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/roost-rt/roost/pubsub/cluster"
)

// A user that was made for this test.
const (
	userKey  = "UCXTWBHSHSKB75YO64TXGQOPLDOIGP3GP7PX2YDJU5VSSMWBRG5ONGIK"
	userSeed = "SUAG2KIBRUO2UJNCUVZDPOEECS4OBK6N3TBMU3X4IDMOFHTRBUSLYR3XCQ"
)

// certify writes a certificate for 127.0.0.1, which is its own CA, and its key.
func certify(t *testing.T, dir string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return write(t, dir, "cert.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		write(t, dir, "key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}))
}

func write(t *testing.T, dir, name string, content []byte) (file string) {
	t.Helper()
	file = filepath.Join(dir, name)
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// A NATS server that asks for a client certificate and a key accepts a node that has
// both, and no other.
func TestCredentials(t *testing.T) {
	dir := t.TempDir()
	cert, key := certify(t, dir)
	seed := write(t, dir, "seed", []byte(userSeed))
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	trusted := x509.NewCertPool()
	trusted.AddCert(pair.Leaf)
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, NoSigs: true, NoLog: true, NoSystemAccount: true,
		TLS: true, TLSVerify: true, Nkeys: []*server.NkeyUser{{Nkey: userKey}},
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{pair}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: trusted},
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() { s.Shutdown(); s.WaitForShutdown() })
	if !s.ReadyForConnections(startTimeout) {
		t.Fatal("NATS server is not ready")
	}
	url := "nats://" + s.Addr().String()
	all := openAll(t, cluster.Config{URL: url, Credentials: cluster.Credentials{CA: cert, Cert: cert, Key: key, NKey: seed}}, "a", "b")
	send(t, all[0], "1")
	want(t, all[1], "1")

	other := t.TempDir()
	strange, _ := certify(t, other)
	broken := write(t, other, "broken", []byte("hush"))
	missing := filepath.Join(other, "missing")
	for what, c := range map[string]struct {
		files cluster.Credentials
		words string
	}{
		"no certificate":    {cluster.Credentials{CA: cert, NKey: seed}, ""},
		"no key":            {cluster.Credentials{CA: cert, Cert: cert, Key: key}, ""},
		"strange CA":        {cluster.Credentials{CA: strange, Cert: cert, Key: key, NKey: seed}, ""},
		"half a pair":       {cluster.Credentials{Cert: cert}, "Config.Cert and Key"},
		"not a pair":        {cluster.Credentials{Cert: strange, Key: key}, "Config.Cert and Key"},
		"CA is no PEM":      {cluster.Credentials{CA: broken}, "Config.CA: " + broken},
		"no creds file":     {cluster.Credentials{Creds: missing}, "Config.Creds: stat " + missing},
		"no seed":           {cluster.Credentials{NKey: broken}, "Config.NKey " + broken},
		"two kinds of user": {cluster.Credentials{Creds: seed, NKey: seed}, "Config.Creds and NKey"},
	} {
		l := cluster.New(cluster.Config{URL: url, Credentials: c.files, Logger: quiet})
		err := l.Start(nil, nil)
		l.Close()
		if err == nil || !strings.Contains(err.Error(), c.words) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: Start = %v, want an error with %q", what, err, c.words)
		}
	}
}
