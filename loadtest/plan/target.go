package plan

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/roost-rt/roost/loadtest/order"
)

// version is the version of Channels that clients speak.
const version = "2.0.0"

// Target is how clients reach and greet the server at a URL. Where that has no
// path, it is the one of a Phoenix socket, or what a plain server is asked for. The
// version of Channels is added to the query unless it is there.
func (c Config) Target(rawURL string) order.Target {
	path := "/socket/websocket"
	if c.Protocol == Raw {
		path = cmp.Or(c.Scenario.kind().rawPath, "/chat")
	}
	t := order.Target{URL: withPath(rawURL, path), Greeting: c.Greeting, TLS: c.TLS}
	if c.Protocol != Raw && versionIn(t) == "" {
		t.Params = append(slices.Clone(t.Params), "vsn="+version)
	}
	return t
}

// withPath is a URL with that path if it has none.
func withPath(rawURL, path string) string {
	at := strings.Index(rawURL, "://") + len("://")
	host, rest := rawURL[at:], ""
	if i := strings.IndexAny(host, "/?#"); i >= 0 {
		host, rest = host[:i], host[i:]
	}
	if rest = strings.TrimPrefix(rest, "/"); rest == "" || rest[0] == '?' || rest[0] == '#' {
		return rawURL[:at] + host + path + rest
	}
	return rawURL
}

// versionIn returns the version of Channels in the query, "" if there is none.
func versionIn(t order.Target) string {
	for _, p := range t.Params {
		if version, found := strings.CutPrefix(p, "vsn="); found {
			return version
		}
	}
	u, err := url.Parse(t.URL)
	if err != nil { // Check tells
		return ""
	}
	return u.Query().Get("vsn")
}

// checkTarget finds what cannot be meant.
func (c Config) checkTarget() error {
	if c.URL == "" {
		if len(c.From) > 0 {
			return errors.New("from: it is for -url; clients of servers that are started here use as many loopback addresses as they need")
		}
		if c.TLS != (order.TLS{}) {
			return fmt.Errorf("url: servers that are started here do not speak TLS: give the url of one that does")
		}
		return c.Greeting.Check()
	}
	if !strings.Contains(c.URL, "://") {
		return fmt.Errorf("url: %q: want ws://host:port or wss://host:port, with or without a path", c.URL)
	}
	t := c.Target(c.URL)
	if v := versionIn(t); c.Protocol != Raw && v != version {
		return fmt.Errorf("url: vsn=%s: this program speaks version %s of Channels", v, version)
	}
	return t.Check()
}

// Resolve asks for the addresses that clients of URL can connect to, once for all
// clients. It returns a list for IPv4 and one for IPv6, each if there are any. Use the
// first list that works, as a whole. On a machine whose From has both, they are one list.
func (c Config) Resolve(ctx context.Context) ([][]netip.AddrPort, error) {
	host, port, err := net.SplitHostPort(c.Target(c.URL).Addr())
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	number, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return nil, fmt.Errorf("url: port %s: want 1 to 65535", port)
	}
	found, err := net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, fmt.Errorf("url: %w", err)
	}
	var families [2][]netip.AddrPort
	for _, addr := range found {
		addr := netip.AddrPortFrom(addr.Unmap(), uint16(number))
		family := &families[0]
		if addr.Addr().Is6() {
			family = &families[1]
		}
		if !slices.Contains(*family, addr) {
			*family = append(*family, addr)
		}
	}
	usable := slices.DeleteFunc(families[:], func(f []netip.AddrPort) bool {
		return len(f) == 0 || len(c.From) > 0 && len(c.From.For(f[0].Addr())) == 0
	})
	switch {
	case len(usable) == 0:
		return nil, fmt.Errorf("from: none of %s can reach %v: want addresses of the same family", c.From, found)
	case len(usable) == 2 && len(c.From) > 0:
		usable = [][]netip.AddrPort{slices.Concat(usable...)}
	}
	return usable, nil
}

// addrs are the addresses that clients connect to, as far as they are known.
func (c Config) addrs() []netip.AddrPort {
	if len(c.Addrs) > 0 {
		return c.Addrs
	}
	families, err := c.Resolve(context.Background())
	if err != nil { // the run tells
		return nil
	}
	return families[0]
}

// pairs is how many pairs of a source and an address of the server there are: each
// has ports of its own. Without sources it counts one.
func (c Config) pairs() (n int) {
	addrs := c.addrs()
	if len(c.From) == 0 {
		return max(1, len(addrs))
	}
	for _, a := range addrs {
		n += c.From.For(a.Addr()).Count()
	}
	return max(1, n)
}
