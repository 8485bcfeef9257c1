package order

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
)

// TLS says how clients of a wss URL shake hands. The zero value trusts who the
// machine trusts, and begins each session anew.
type TLS struct {
	// CA is a file with the certificates, in PEM, that are trusted to sign the server's.
	// Empty means the machine's.
	CA string `json:"ca,omitempty"`

	// Cert and Key are files with a client's certificate and its private key, in
	// PEM; both or none.
	Cert string `json:"cert,omitempty"`
	Key  string `json:"key,omitempty"`

	// ServerName is the name that is asked for (SNI) and must be in the server's
	// certificate. Empty means the host of the URL.
	ServerName string `json:"server_name,omitempty"`

	// Insecure takes any certificate.
	Insecure bool `json:"insecure,omitempty"`

	// Resume has clients go on with a session of another client of their process,
	// which costs the server no signature: as clients do that come back.
	Resume bool `json:"resume,omitempty"`
}

// Check finds what cannot be meant.
func (t TLS) Check() error {
	switch {
	case (t.Cert == "") != (t.Key == ""):
		return errors.New("cert and key: a certificate needs its private key, and the key its certificate")
	case t.Insecure && t.CA != "":
		return errors.New("insecure and ca: the one takes any certificate, the other one does not")
	}
	return nil
}

// PEM holds the contents of the files of a TLS.
type PEM struct {
	CA   []byte `json:"ca,omitempty"`
	Cert []byte `json:"cert,omitempty"`
	Key  []byte `json:"key,omitempty"`
}

// sessions is how many TLS sessions a process keeps: one for each name.
const sessions = 16

// ClientConfig returns the TLS configuration for clients of t, nil without TLS. All
// clients of a process may share it.
func (t Target) ClientConfig(files PEM) (*tls.Config, error) {
	if !t.Secure() {
		return nil, nil
	}
	c := &tls.Config{
		ServerName:         cmp.Or(t.TLS.ServerName, t.mustParse().Hostname()),
		InsecureSkipVerify: t.TLS.Insecure,
		NextProtos:         []string{"http/1.1"}, // WebSockets over HTTP/2 are another thing
	}
	if t.TLS.Resume {
		c.ClientSessionCache = tls.NewLRUClientSessionCache(sessions)
	}
	if len(files.CA) > 0 {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(files.CA) {
			return nil, fmt.Errorf("ca: %s has no certificate in PEM", t.TLS.CA)
		}
	}
	if len(files.Cert) > 0 {
		pair, err := tls.X509KeyPair(files.Cert, files.Key)
		if err != nil {
			return nil, fmt.Errorf("cert and key: %w", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}
