package phx

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"github.com/roost-rt/roost/poller"
)

// Version 2 of the PROXY protocol, by
// https://www.haproxy.org/download/3.2/doc/proxy-protocol.txt, §2.2. Version 1,
// a line of text, is not spoken.
const (
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"
	proxyFixed     = 16      // bytes before the addresses
	proxyMax       = 4 << 10 // of addresses and TLVs; the protocol allows 64 KiB
)

var errProxyHeader = errors.New("no PROXY header of version 2 from a trusted proxy")

// parseProxy reads the header at the beginning of data: where the connection
// comes from, which is not valid if the proxy does not say, and how long the
// header is; 0 means that it is not complete yet.
func parseProxy(data []byte) (from netip.AddrPort, size int, err error) {
	if n := min(len(data), len(proxySignature)); string(data[:n]) != proxySignature[:n] {
		return from, 0, errProxyHeader
	}
	if len(data) < proxyFixed {
		return from, 0, nil
	}
	command, family, n := data[12], data[13], int(binary.BigEndian.Uint16(data[14:]))
	if command>>4 != 2 || command&15 > 1 || n > proxyMax {
		return from, 0, errProxyHeader
	}
	if len(data) < proxyFixed+n {
		return from, 0, nil
	}
	size = proxyFixed + n
	if command&15 == 0 { // LOCAL: the proxy's own, a health check
		return from, size, nil
	}
	body := data[proxyFixed:size]
	switch family {
	case 0x11: // TCP over IPv4: source and destination, then their ports
		if n < 12 {
			return from, 0, errProxyHeader
		}
		from = netip.AddrPortFrom(netip.AddrFrom4([4]byte(body)), binary.BigEndian.Uint16(body[8:]))
	case 0x21: // TCP over IPv6
		if n < 36 {
			return from, 0, errProxyHeader
		}
		from = netip.AddrPortFrom(netip.AddrFrom16([16]byte(body)).Unmap(), binary.BigEndian.Uint16(body[32:]))
	}
	return from, size, nil // any other family: the receiver uses the real addresses
}

// A proxied is a connection of a trusted proxy whose PROXY header has yet to come.
type proxied struct {
	endpoint *Endpoint
	origin   origin // the proxy's own
	buf      []byte
}

// Data takes the header and gives what follows to requests; see poller.Handler.
func (p *proxied) Data(c *poller.Conn, data []byte) {
	if p.buf = append(p.buf, data...); len(p.buf) == 0 {
		return
	}
	from, size, err := parseProxy(p.buf)
	if err != nil {
		p.endpoint.log.Info("connection refused", "remote", c.RemoteAddr().String(), "err", err)
		c.Kill(err)
		return
	}
	if size == 0 {
		return
	}
	o := p.origin
	if from.IsValid() {
		o.remote = from.String()
	}
	h := p.endpoint.welcome(c, from, o)
	if h == nil {
		p.endpoint.turnAway(c)
		c.Finish(nil)
		return
	}
	c.SetHandler(h)
	if rest := p.buf[size:]; len(rest) > 0 {
		h.Data(c, rest)
	}
}

// Timeout ends a connection without a header; see poller.Handler.
func (p *proxied) Timeout(c *poller.Conn) { c.Kill(poller.ErrTimeout) }

// Closed does nothing: no one knows of the connection yet; see poller.Handler.
func (p *proxied) Closed(*poller.Conn, error) {}
