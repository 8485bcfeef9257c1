package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"time"
)

func certFile(folder string) string { return filepath.Join(folder, "cert.pem") }
func keyFile(folder string) string  { return filepath.Join(folder, "key.pem") }
func bothFile(folder string) string { return filepath.Join(folder, "both.pem") } // as HAProxy has it

// writeCertificate makes one for 127.0.0.1, with P-256, which signs for itself.
func writeCertificate(folder string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return err
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	cert := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	private := pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})
	return errors.Join(
		os.WriteFile(certFile(folder), cert, 0o600),
		os.WriteFile(keyFile(folder), private, 0o600),
		os.WriteFile(bothFile(folder), slices.Concat(cert, private), 0o600))
}
