package plan

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
)

// A Target is a URL taken apart.
type Target struct {
	Host string // of the HTTP request
	Path string // with the query
	Addr string // host and port to connect to
}

// ParseTarget takes ws://HOST:PORT, with or without a path. Without one it is that
// of a Phoenix socket; the version of Channels is set in the query.
func ParseTarget(raw string) (Target, error) {
	if !strings.HasPrefix(raw, "ws://") {
		return Target{}, fmt.Errorf("url: %q: want ws://host:port or ws://host:port/path; TLS is not spoken here", raw)
	}
	u, err := url.Parse(raw)
	if err != nil {
		return Target{}, fmt.Errorf("url: %w", err)
	}
	if u.Path == "" || u.Path == "/" {
		u.Path = "/socket/websocket"
	}
	query := u.Query()
	query.Set("vsn", "2.0.0") // the only version whose frames are understood here
	u.RawQuery = query.Encode()
	return Target{
		Host: u.Host,
		Path: u.RequestURI(),
		Addr: net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "80")),
	}, nil
}

// Resolve asks for the address once, for all clients.
func (t Target) Resolve() (netip.AddrPort, error) {
	addr, err := net.ResolveTCPAddr("tcp", t.Addr)
	if err != nil {
		return netip.AddrPort{}, fmt.Errorf("url: %w", err)
	}
	a := addr.AddrPort()
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port()), nil
}
