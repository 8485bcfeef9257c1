package phx

import (
	"net/http"
	"net/netip"
	"strings"
)

// proxies are those in front of the server whose word on a client's address
// counts.
type proxies struct {
	trusted []netip.Prefix
	header  string // in canonical form
	field   string // the same in lower case
}

func newProxies(c *Config) proxies {
	return proxies{trusted: c.TrustedProxies, header: http.CanonicalHeaderKey(c.ProxyHeader), field: strings.ToLower(c.ProxyHeader)}
}

// trust reports whether addr is one of them.
func (p *proxies) trust(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	for _, prefix := range p.trusted {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client is the address of who sent a request. peer is who brought it, lines are
// the values of the proxies' header. From its end on, each entry was written by
// who comes after it: the first that no trusted proxy has is the client, and what
// it claims itself counts for nothing. So does all before an entry that is no
// address.
func (p *proxies) client(peer netip.AddrPort, lines []string) netip.AddrPort {
	hops := hopsOf(p.header, lines)
	for i := len(hops) - 1; i >= 0 && p.trust(peer.Addr()); i-- {
		hop, ok := parseHop(hops[i])
		if !ok {
			break
		}
		peer = hop
	}
	return peer
}

// clientOf is client for addresses as net/http writes them.
func (p *proxies) clientOf(remote string, lines []string) string {
	peer, err := netip.ParseAddrPort(remote)
	if len(p.trusted) == 0 || err != nil {
		return remote
	}
	return p.client(peer, lines).String()
}

// hopsOf are the addresses in a header, the client's own word first.
func hopsOf(header string, lines []string) (hops []string) {
	for element := range splitQuoted(strings.Join(lines, ","), ',') {
		if header != "Forwarded" {
			hops = append(hops, strings.TrimSpace(element))
			continue
		}
		hop := "" // RFC 7239 §4: an element without "for" is a hop, too
		for pair := range splitQuoted(element, ';') {
			name, value, _ := strings.Cut(pair, "=")
			if strings.EqualFold(strings.TrimSpace(name), "for") {
				hop = strings.Trim(strings.TrimSpace(value), `"`)
			}
		}
		hops = append(hops, hop)
	}
	return hops
}

// splitQuoted splits at a separator that is in no quoted string (RFC 9110 §5.6.4).
func splitQuoted(s string, sep byte) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		quoted, start := false, 0
		for i := 0; i < len(s); i++ {
			switch {
			case quoted && s[i] == '\\':
				i++ // what it escapes
			case s[i] == '"':
				quoted = !quoted
			case s[i] == sep && !quoted:
				if !yield(s[start:i]) {
					return
				}
				start = i + 1
			}
		}
		yield(s[start:])
	}
}

// parseHop parses an address, with or without a port (which is 0 then), and an
// IPv6 one with or without brackets. "unknown" and names are none.
func parseHop(s string) (netip.AddrPort, bool) {
	if addr, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		return netip.AddrPortFrom(addr.Unmap(), 0), true
	}
	hop, err := netip.ParseAddrPort(s)
	if err != nil {
		return netip.AddrPort{}, false
	}
	return netip.AddrPortFrom(hop.Addr().Unmap(), hop.Port()), true
}
