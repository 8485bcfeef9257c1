package phx

import (
	"iter"
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
	for hop := range hopsOf(p.header, lines) {
		addr, ok := parseHop(hop)
		if !ok || !p.trust(peer.Addr()) {
			break
		}
		peer = addr
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

// hopsOf are the addresses in a header, the client's own word last.
func hopsOf(header string, lines []string) iter.Seq[string] {
	list := strings.Join(lines, ",")
	if header != "Forwarded" { // a quote in it is a character as any other
		return backwards(list, ',', false)
	}
	return func(yield func(string) bool) {
		for element := range backwards(list, ',', true) {
			hop := "" // RFC 7239 §4: an element without "for" is a hop, too
			for pair := range backwards(element, ';', true) {
				name, value, _ := strings.Cut(pair, "=")
				if strings.EqualFold(strings.TrimSpace(name), "for") {
					hop = strings.Trim(strings.TrimSpace(value), `"`)
				}
			}
			if !yield(hop) {
				return
			}
		}
	}
}

// backwards splits at a separator, if there are quotes at one that is in no quoted
// string (RFC 9110 §5.6.4). The end comes first, where the proxies have written: a
// quote that the client has left open takes nothing of it away.
func backwards(s string, sep byte, quotes bool) iter.Seq[string] {
	return func(yield func(string) bool) {
		quoted, end := false, len(s)
		for i := len(s) - 1; i >= 0; i-- {
			switch {
			case quotes && s[i] == '"' && !escaped(s[:i]):
				quoted = !quoted
			case s[i] == sep && !quoted:
				if !yield(strings.TrimSpace(s[i+1 : end])) {
					return
				}
				end = i
			}
		}
		yield(strings.TrimSpace(s[:end]))
	}
}

// escaped reports whether what comes behind s has a backslash of its own.
func escaped(s string) bool { return (len(s)-len(strings.TrimRight(s, `\`)))%2 == 1 }

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
