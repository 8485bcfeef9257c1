package order

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"strings"
)

// Sources are the addresses that clients connect from, by turns. From a prefix, such as
// 2001:db8::/64, each client takes the next address. None leaves it to the kernel.
type Sources []netip.Prefix

// ParseSources reads "10.0.0.7,10.0.0.8,2001:db8::/64".
func ParseSources(list string) (s Sources, err error) {
	for text := range strings.SplitSeq(list, ",") {
		text = strings.TrimSpace(text)
		var p netip.Prefix
		if addr, addrErr := netip.ParseAddr(text); addrErr == nil {
			p = netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen())
		} else if p, err = netip.ParsePrefix(text); err != nil {
			return nil, fmt.Errorf("%q: want an address such as 10.0.0.7, or a prefix such as 2001:db8::/64", text)
		}
		if strings.Contains(text, "%") || p.Addr().IsUnspecified() {
			return nil, fmt.Errorf("%q: nobody can connect from there", text)
		}
		s = append(s, p.Masked())
	}
	return s, nil
}

// String is the reverse of ParseSources.
func (s Sources) String() string {
	var list []string
	for _, p := range s {
		if p.IsSingleIP() {
			list = append(list, p.Addr().String())
		} else {
			list = append(list, p.String())
		}
	}
	return strings.Join(list, ",")
}

// For are those that can reach an address: the ones of its family.
func (s Sources) For(remote netip.Addr) (list Sources) {
	for _, p := range s {
		if p.Addr().Is4() == remote.Unmap().Is4() {
			list = append(list, p)
		}
	}
	return list
}

// CheckRouted finds out whether they are one IPv4 prefix that can be routed to a host
// whole, for clients whose TCP is not the kernel's.
func (s Sources) CheckRouted() error {
	if len(s) != 1 || !s[0].Addr().Is4() || s[0].Bits() < 8 || s[0].Bits() > 29 {
		return fmt.Errorf("from %q: want one IPv4 prefix of 8 to 29 bits, which the server's network routes to this host, such as 10.64.0.0/16", s)
	}
	return nil
}

// Single reports whether there are addresses alone, and no prefixes.
func (s Sources) Single() bool {
	for _, p := range s {
		if !p.IsSingleIP() {
			return false
		}
	}
	return true
}

// mostAddresses bounds what a prefix counts for: more than clients of one host.
const mostAddresses = 1 << 30

// addresses returns how many addresses of a prefix can be used: not the first, which
// belongs to the network (IPv4) or its routers (RFC 4291 §2.6.1), nor the last of IPv4.
func addresses(p netip.Prefix) int {
	bits := p.Addr().BitLen() - p.Bits()
	switch {
	case bits == 0:
		return 1
	case bits == 1: // RFC 3021, RFC 6164: both are hosts
		return 2
	case bits > 30:
		return mostAddresses
	case p.Addr().Is4():
		return 1<<bits - 2
	}
	return 1<<bits - 1
}

// Count is how many addresses there are in all, at most about a billion.
func (s Sources) Count() (n int) {
	for _, p := range s {
		n = min(n+addresses(p), mostAddresses)
	}
	return n
}

// Of is the address of the n-th client, counted from 0. There must be one.
func (s Sources) Of(n int) netip.Addr {
	p := s[n%len(s)]
	size := addresses(p)
	if size == 1 {
		return p.Addr()
	}
	host := uint64(n / len(s) % size)
	if p.Addr().BitLen()-p.Bits() > 1 {
		host++
	}
	bytes := p.Addr().As16()
	low := bytes[8:]
	binary.BigEndian.PutUint64(low, binary.BigEndian.Uint64(low)+host) // no carry: the host part is of 30 bits
	return netip.AddrFrom16(bytes).Unmap()
}
