package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
)

// Credentials are files that identify this node to NATS, and say whom it
// trusts. All may be empty. Their contents appear in no log and no error. TLS
// files and Creds are read again with each connection, so they may be replaced.
type Credentials struct {
	CA    string // certificates of the authorities that sign the server's, PEM; empty means the system's
	Cert  string // certificate of this node, PEM; needs Key
	Key   string // private key of Cert, PEM
	Creds string // JWT and seed of a NATS user, as nsc writes them
	NKey  string // seed of a NATS user that has no JWT
}

// options are those of the NATS client. They fail for files that cannot be used,
// and say which.
func (c *Credentials) options() (all []nats.Option, err error) {
	if (c.Cert == "") != (c.Key == "") {
		return nil, errors.New("cluster: Config.Cert and Key belong together: set both or none")
	}
	if c.Creds != "" && c.NKey != "" {
		return nil, errors.New("cluster: Config.Creds and NKey are both set: use one")
	}
	if c.CA != "" {
		if err := checkCA(c.CA); err != nil {
			return nil, fmt.Errorf("cluster: Config.CA: %w", err)
		}
		all = append(all, nats.RootCAs(c.CA))
	}
	if c.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.Cert, c.Key); err != nil {
			return nil, fmt.Errorf("cluster: Config.Cert and Key: %w", err)
		}
		all = append(all, nats.ClientCert(c.Cert, c.Key))
	}
	if c.Creds != "" {
		if _, err := os.Stat(c.Creds); err != nil {
			return nil, fmt.Errorf("cluster: Config.Creds: %w", err)
		}
		all = append(all, nats.UserCredentials(c.Creds))
	}
	if c.NKey != "" {
		option, err := nats.NkeyOptionFromSeed(c.NKey)
		if err != nil {
			return nil, fmt.Errorf("cluster: Config.NKey %s: %w", c.NKey, err)
		}
		all = append(all, option)
	}
	return all, nil
}

func checkCA(file string) error {
	pem, err := os.ReadFile(file)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(pem) {
		err = fmt.Errorf("%s holds no certificate in PEM", file)
	}
	return err
}
