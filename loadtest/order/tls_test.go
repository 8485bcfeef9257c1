package order_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
)

// selfSigned is a certificate and its key in PEM.
func selfSigned(t *testing.T) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, private.Public(), private)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
}

// The name that is asked for is that of the URL unless another is said; sessions are
// kept, certificates shown and authorities trusted only where that was asked for.
func TestClientConfig(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	for _, test := range []struct {
		name, url      string
		tls            order.TLS
		files          order.PEM
		server         string
		insecure       bool
		resumes, trust bool
		certificates   int
	}{
		{name: "plain", url: "wss://app.test:4443/socket", server: "app.test"},
		{name: "an address", url: "wss://[::1]:4443/socket", server: "::1"},
		{name: "another name", url: "wss://127.0.0.1/", tls: order.TLS{ServerName: "app.test"}, server: "app.test"},
		{name: "anybody", url: "wss://a/", tls: order.TLS{Insecure: true}, server: "a", insecure: true},
		{name: "resumption", url: "wss://a/", tls: order.TLS{Resume: true}, server: "a", resumes: true},
		{name: "an authority", url: "wss://a/", tls: order.TLS{CA: "ca.pem"}, files: order.PEM{CA: cert}, server: "a", trust: true},
		{name: "a certificate", url: "wss://a/", tls: order.TLS{Cert: "c", Key: "k"}, files: order.PEM{Cert: cert, Key: key}, server: "a", certificates: 1},
	} {
		c, err := order.Target{URL: test.url, TLS: test.tls}.ClientConfig(test.files)
		if err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if c.ServerName != test.server || c.InsecureSkipVerify != test.insecure || (c.ClientSessionCache != nil) != test.resumes || (c.RootCAs != nil) != test.trust || len(c.Certificates) != test.certificates {
			t.Errorf("%s: asks for %q, insecure %v, resumes %v, own authority %v, %d certificates", test.name, c.ServerName, c.InsecureSkipVerify, c.ClientSessionCache != nil, c.RootCAs != nil, len(c.Certificates))
		}
	}
	if c, err := (order.Target{URL: "ws://a/", TLS: order.TLS{Insecure: true}}).ClientConfig(order.PEM{}); c != nil || err != nil {
		t.Errorf("without TLS: %v, %v, want neither", c, err)
	}
}

func TestClientConfigErrors(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t)
	_, other := selfSigned(t)
	for _, test := range []struct {
		tls   order.TLS
		files order.PEM
		want  string
	}{
		{order.TLS{CA: "ca.key"}, order.PEM{CA: key}, "ca: ca.key has no certificate in PEM"},
		{order.TLS{Cert: "c", Key: "k"}, order.PEM{Cert: cert, Key: other}, "cert and key: "},
		{order.TLS{Cert: "c", Key: "k"}, order.PEM{Cert: key, Key: cert}, "cert and key: "},
	} {
		if _, err := (order.Target{URL: "wss://a/", TLS: test.tls}).ClientConfig(test.files); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%+v: %v, want %q", test.tls, err, test.want)
		}
	}
	for want, bad := range map[string]order.TLS{
		"a certificate needs its private key": {Cert: "c"}, "and the key its certificate": {Key: "k"}, "insecure and ca": {Insecure: true, CA: "ca"},
	} {
		if err := bad.Check(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v, want %q", bad, err, want)
		}
	}
}
