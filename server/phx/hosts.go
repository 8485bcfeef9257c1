package phx

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"unicode"
)

// AnyHost as an entry of [Config.Hosts] allows requests for any host.
const AnyHost = "*"

// hosts decides which hosts requests may be for.
type hosts struct {
	given bool // in Config.Hosts
	any   bool
	names map[string]bool // as hostName has them

	last atomic.Pointer[string] // that was allowed, as it was sent
}

func newHosts(c *Config) *hosts {
	h := &hosts{given: c.Hosts != nil, names: make(map[string]bool)}
	for _, name := range append([]string{c.Host}, c.Hosts...) {
		h.any = h.any || name == AnyHost
		h.names[hostName(name)] = true
	}
	return h
}

// hostName is a name or an address in the one form of all that mean the same.
func hostName(name string) string {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if addr, err := netip.ParseAddr(name); err == nil {
		return addr.Unmap().String()
	}
	return name
}

// checkHosts finds what is wrong with Config.Hosts.
func checkHosts(names []string) error {
	for i, name := range names {
		if name == "" || name != AnyHost && strings.ContainsAny(name, "*:/@[] ") && !isAddr(name) {
			return fmt.Errorf("the entry Hosts[%d] is %q: want a name or an address without scheme and port, such as example.com, or %q", i, name, AnyHost)
		}
		if strings.ContainsFunc(name, func(r rune) bool { return r > unicode.MaxASCII }) {
			return fmt.Errorf("the entry Hosts[%d] is %q: want the form that clients send, in ASCII, such as xn--bcher-kva.example for bücher.example", i, name)
		}
	}
	return nil
}

func isAddr(name string) bool {
	_, err := netip.ParseAddr(name)
	return err == nil
}

// ask reports whether it matters at all what host a request is for. loopback says
// that it came by a listener at a loopback address.
func (h *hosts) ask(loopback bool) bool { return !h.any && (h.given || loopback) }

// again reports whether a host is the one that was allowed last: most requests are for
// the same.
func (h *hosts) again(host []byte) bool {
	last := h.last.Load()
	return last != nil && *last == string(host)
}

// allow decides about a host as in the Host field.
func (h *hosts) allow(host string) bool {
	ok := h.has(host)
	if ok {
		h.last.Store(&host)
	}
	return ok
}

// has is allow. No host at all is no browser's.
func (h *hosts) has(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	name = hostName(strings.Trim(name, "[]"))
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || h.names[name] {
		return true
	}
	addr, err := netip.ParseAddr(name)
	return host == "" || err == nil && addr.IsLoopback()
}

// isLoopback reports whether only programs of this machine can connect there.
func isLoopback(at net.Addr) bool {
	addr, ok := ipOf(at)
	return ok && addr.IsLoopback()
}

// ipOf is the IP address of at, which may be nil.
func ipOf(at net.Addr) (addr netip.Addr, ok bool) {
	if at == nil {
		return addr, false
	}
	ap, err := netip.ParseAddrPort(at.String())
	return ap.Addr().Unmap(), err == nil
}

// isEverywhere reports whether an address to listen at, such as ":80", is all of this
// machine's.
func isEverywhere(addr string) bool {
	name, _, err := net.SplitHostPort(addr)
	ip, _ := netip.ParseAddr(name)
	return err == nil && (name == "" || ip.Unmap().IsUnspecified())
}
