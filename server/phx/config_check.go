package phx

import (
	"cmp"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"runtime"
	"strings"
	"time"
)

// Check returns the error that [New] would return for c, without starting
// anything. It cannot report errors that appear only on listening, or in the
// presence of another server.
func (c Config) Check() error {
	if err := c.check(); err != nil {
		return fmt.Errorf("phx: configuration: %w", err)
	}
	return nil
}

// check finds what is wrong with c and fills in the defaults.
func (c *Config) check() error {
	c.Addr = cmp.Or(c.Addr, "127.0.0.1:4000")
	c.MaxHTTP = cmp.Or(c.MaxHTTP, 1024)
	c.ProxyHeader = cmp.Or(c.ProxyHeader, "X-Forwarded-For")
	c.Workers = cmp.Or(c.Workers, 64*runtime.GOMAXPROCS(0))
	c.MaxWorkers = cmp.Or(c.MaxWorkers, max(10_000, c.Workers))
	c.DrainTimeout = cmp.Or(c.DrainTimeout, 30*time.Second)
	c.HandshakeTimeout = cmp.Or(c.HandshakeTimeout, 10*time.Second)
	c.Secret = cmp.Or(c.Secret, rand.Text()+rand.Text())
	c.Logger = cmp.Or(c.Logger, slog.Default())
	if c.HTTP == nil {
		c.HTTP = http.NotFoundHandler()
	}
	var errs []error
	notNegative := func(field string, value int64) {
		if value < 0 {
			errs = append(errs, fmt.Errorf("%s is %d: it must not be negative; zero is the default", field, value))
		}
	}
	if t := c.TLS; t != nil && len(t.Certificates) == 0 && t.GetCertificate == nil && t.GetConfigForClient == nil {
		errs = append(errs, errors.New("TLS has no certificate: set its Certificates, as with tls.LoadX509KeyPair, or GetCertificate"))
	}
	notNegative("MaxHTTP", int64(c.MaxHTTP))
	if c.ReadyPath != "" && !strings.HasPrefix(c.ReadyPath, "/") {
		errs = append(errs, fmt.Errorf("ReadyPath is %q: it must start with /, such as /ready", c.ReadyPath))
	}
	notNegative("MaxConns", int64(c.MaxConns))
	notNegative("MaxConnsPerIP", int64(c.MaxConnsPerIP))
	notNegative("AcceptRate", int64(c.AcceptRate))
	errs = append(errs, c.checkProxies(), checkHosts(c.Hosts))
	notNegative("Loops", int64(c.Loops))
	notNegative("Workers", int64(c.Workers))
	notNegative("MaxWorkers", int64(c.MaxWorkers))
	notNegative("SocketShare", int64(c.SocketShare))
	notNegative("Overdue", int64(c.Overdue))
	if 0 <= c.MaxWorkers && c.MaxWorkers < c.Workers {
		errs = append(errs, fmt.Errorf("MaxWorkers is %d, fewer than the %d Workers: want at least as many; zero is the default", c.MaxWorkers, c.Workers))
	}
	notNegative("OutboundHigh", int64(c.OutboundHigh))
	notNegative("OutboundMax", int64(c.OutboundMax))
	notNegative("WriteTimeout", int64(c.WriteTimeout))
	notNegative("BacklogMax", int64(c.BacklogMax))
	notNegative("IncomingMax", int64(c.IncomingMax))
	notNegative("MailboxesMax", int64(c.MailboxesMax))
	notNegative("IncomingTimeout", int64(c.IncomingTimeout))
	notNegative("BodyTimeout", int64(c.BodyTimeout))
	notNegative("IncomingRate", int64(c.IncomingRate))
	notNegative("SendBuffer", int64(c.SendBuffer))
	notNegative("MaxPending", int64(c.MaxPending))
	notNegative("MaxPayload", int64(c.MaxPayload))
	notNegative("HandshakeTimeout", int64(c.HandshakeTimeout))
	notNegative("DrainTimeout", int64(c.DrainTimeout))
	notNegative("LogRate", int64(c.LogRate))
	errs = append(errs, c.Filter.check())
	if n := len(c.Secret); n > 0 && n < 20 {
		errs = append(errs, fmt.Errorf("the Secret has %d bytes: want at least 20 random ones, or none", n))
	}
	seen := map[string]string{c.ReadyPath: "ReadyPath"} // paths
	maxPayload := 16 << 20
	for i := range c.Mounts {
		maxPayload = max(maxPayload, int(c.Mounts[i].MaxMessage))
		errs = append(errs, c.Mounts[i].check(fmt.Sprintf("Mounts[%d]", i), seen, notNegative))
	}
	c.MaxPayload = cmp.Or(c.MaxPayload, maxPayload)
	c.OutboundMax = cmp.Or(c.OutboundMax, 4*c.MaxPayload)
	if c.OutboundHigh = cmp.Or(c.OutboundHigh, min(16<<20, c.OutboundMax)); c.OutboundHigh > c.OutboundMax {
		errs = append(errs, fmt.Errorf("OutboundHigh is %d, more than OutboundMax, %d: clients would be closed before they are waited for", c.OutboundHigh, c.OutboundMax))
	}
	c.BacklogMax = cmp.Or(c.BacklogMax, 256<<20)
	c.IncomingMax = cmp.Or(c.IncomingMax, 256<<20)
	c.MailboxesMax = cmp.Or(c.MailboxesMax, 256<<20)
	c.IncomingTimeout = cmp.Or(c.IncomingTimeout, 10*time.Second)
	c.IncomingRate = cmp.Or(c.IncomingRate, 16<<10)
	c.BodyTimeout = cmp.Or(c.BodyTimeout, time.Hour)
	return errors.Join(errs...)
}

// checkProxies finds what is wrong with what c says of proxies.
func (c *Config) checkProxies() error {
	for i, prefix := range c.TrustedProxies {
		if !prefix.IsValid() {
			return fmt.Errorf("TrustedProxies[%d] is not valid: make it with netip.MustParsePrefix, such as 10.0.0.0/8", i)
		}
	}
	switch header := http.CanonicalHeaderKey(c.ProxyHeader); {
	case header != "X-Forwarded-For" && header != "Forwarded":
		return fmt.Errorf("ProxyHeader is %q: want X-Forwarded-For or Forwarded", c.ProxyHeader)
	case c.ProxyProtocol && len(c.TrustedProxies) == 0:
		return errors.New("ProxyProtocol is set but TrustedProxies is empty: name the proxies that send its headers")
	}
	return nil
}
