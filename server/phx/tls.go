package phx

import (
	"crypto/tls"
	"errors"
	"net/netip"
	"runtime"

	"github.com/roost-rt/roost/poller"
)

// encryption holds the additional fields of an endpoint with Config.TLS. Handshakes
// take turns of a pool of their own: as many compute at a time as there are
// processors, and as many wait for their clients as Config.MaxWorkers says, an
// eighth of them for one address.
type encryption struct {
	config     *tls.Config
	handshakes *poller.Pool
}

func newEncryption(cfg *Config) (*encryption, error) {
	config := cfg.TLS.Clone()
	config.NextProtos = []string{"http/1.1"} // WebSocket over HTTP/2 is another protocol
	places := runtime.GOMAXPROCS(0)
	pool, err := poller.NewPool(poller.PoolConfig{
		Places: places, MaxWorkers: max(cfg.MaxWorkers, places), OwnerShare: max(cfg.MaxWorkers/8, 1), Logger: cfg.Logger,
	})
	if err != nil {
		return nil, err
	}
	return &encryption{config, pool}, nil
}

// secured is h, behind a TLS handshake if Config.TLS asks for one and there was none.
// peer is whose share of the handshakes that takes. Loop only.
func (ep *Endpoint) secured(c *poller.Conn, peer netip.Addr, h *requests) poller.Handler {
	c.CheckLoop()
	if ep.encryption == nil || h.origin.https {
		return h
	}
	h.origin.https = true
	var owner any
	if peer.IsValid() && !ep.proxies.trust(peer) {
		owner = household(peer)
	}
	return c.Secure(ep.encryption.config, ep.encryption.handshakes, owner, h)
}

// turnAway is the last word on a connection before anything is read. One that is to
// begin with TLS gets none: it could not read it.
func (ep *Endpoint) turnAway(c *poller.Conn) poller.Handler {
	if ep.encryption != nil {
		return nil
	}
	return refuseEarly(c)
}

// Plain answers a request that has come without TLS; see poller.Plain.
func (h *requests) Plain(first []byte) []byte { return withoutTLS(first) }

// withoutTLS returns the answer to a client that speaks HTTP instead of TLS, judged by
// the first bytes of its request line, and nil for others. The words are net/http's.
func withoutTLS(first []byte) []byte {
	for _, b := range first {
		if (b < 'A' || 'Z' < b) && b != ' ' && b != '/' && b != '*' {
			return nil
		}
	}
	return []byte("HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
}

// An unshaken connection is one of tls.NewListener's, whose handshake comes with the
// first Read.
type unshaken struct{ *tls.Conn }

// Read answers a request that has come without TLS; see net.Conn.
func (c unshaken) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	var header tls.RecordHeaderError
	if errors.As(err, &header) && header.Conn != nil {
		_, _ = header.Conn.Write(withoutTLS(header.RecordHeader[:])) // who is gone needs no answer
	}
	return n, err
}

// tls returns the state that the TLS handshake of a connection has agreed on, nil without.
func (d *detached) tls() *tls.ConnectionState {
	c, ok := d.Conn.(*tls.Conn)
	if !ok {
		return nil
	}
	state := c.ConnectionState()
	return &state
}
