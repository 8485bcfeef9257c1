package chat

import (
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A certificate comes from two files, which may change while the server runs: they
// are looked at when clients shake hands, at most once a second, and at SIGHUP.
// What cannot be used changes nothing, and is logged.
type certificate struct {
	cert, key string // paths; PEM
	log       *slog.Logger
	pair      atomic.Pointer[tls.Certificate]

	mu     sync.Mutex     // guards the rest
	looked time.Time      // at the files
	state  [2]os.FileInfo // then
}

// flags adds the flags for TLS.
func (c *certificate) flags(flags *flag.FlagSet) {
	flags.StringVar(&c.cert, "tls-cert", "", "`file` with the server's certificate and the certificates that sign it, PEM: serves https and wss instead of http and ws. Read again when it changes, and at SIGHUP")
	flags.StringVar(&c.key, "tls-key", "", "`file` with the private key of -tls-cert, PEM")
}

// check reads the files, if there are any.
func (c *certificate) check() error {
	switch {
	case c.cert == "" && c.key == "":
		return nil
	case c.cert == "" || c.key == "":
		return errors.New("TLS needs both -tls-cert and -tls-key")
	}
	c.looked, c.state = time.Now(), c.files()
	if err := c.load(); err != nil {
		return fmt.Errorf("-tls-cert and -tls-key: %w", err)
	}
	return nil
}

// config is nil without a certificate.
func (c *certificate) config(log *slog.Logger) *tls.Config {
	if c.cert == "" {
		return nil
	}
	c.log = log
	return &tls.Config{GetCertificate: c.get}
}

// get is tls.Config.GetCertificate.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	if c.mu.TryLock() { // else another one looks
		if time.Since(c.looked) >= time.Second {
			c.look()
		}
		c.mu.Unlock()
	}
	return c.pair.Load(), nil
}

// reload reads the files again, whether or not they seem to have changed.
func (c *certificate) reload() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.state = [2]os.FileInfo{}
	c.look()
}

// look reads the files again if they have changed. c is locked.
func (c *certificate) look() {
	before := c.state
	c.looked, c.state = time.Now(), c.files() // before they are read, lest a change meanwhile be missed
	if same(before[0], c.state[0]) && same(before[1], c.state[1]) {
		return
	}
	if err := c.load(); err != nil {
		c.log.Error("new certificate not used, the old one stays", "err", err, "fix", "write files that belong together: they are read again")
		return
	}
	leaf := c.pair.Load().Leaf
	c.log.Info("new certificate", "names", leaf.DNSNames, "until", leaf.NotAfter)
}

func (c *certificate) load() error {
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err == nil {
		c.pair.Store(&pair)
	}
	return err
}

// files is the state of both; nil for one that cannot be seen, which load will say.
func (c *certificate) files() (state [2]os.FileInfo) {
	for i, path := range []string{c.cert, c.key} {
		if info, err := os.Stat(path); err == nil {
			state[i] = info
		}
	}
	return state
}

// same reports whether a file is as it was.
func same(was, is os.FileInfo) bool {
	if was == nil || is == nil {
		return was == is
	}
	return os.SameFile(was, is) && was.ModTime().Equal(is.ModTime()) && was.Size() == is.Size()
}
