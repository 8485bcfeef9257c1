// Package origins decides which pages may connect, by the Origin header that
// browsers send with a request (spec §1.4). It is pure, and a [Policy] is safe for
// concurrent use.
package origins

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Entries of a policy that are no addresses.
const (
	Any  = "*"    // pages from everywhere
	Self = "self" // pages with the scheme, host and port of the request itself
)

// A rule is an entry that is an address.
type rule struct {
	scheme, host, port string // "" stands for any, except in host
	deep               bool   // subdomains of host, too
}

// parse makes a rule of an entry that is neither Any nor Self.
func parse(entry string) (rule, error) {
	u, err := url.Parse(entry)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return rule{}, fmt.Errorf("%q is no origin: want //example.com, https://example.com, //example.com:8080, //*.example.com, %q or %q",
			entry, Self, Any)
	}
	r := rule{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	if r.scheme != "" {
		r.port = portOf(u)
	}
	r.host, r.deep = strings.CutPrefix(r.host, "*.")
	if strings.Contains(r.host, "*") {
		return rule{}, fmt.Errorf("%q is no origin: a * can only stand for subdomains, as in //*.example.com", entry)
	}
	return r, nil
}

func (r rule) allows(origin *url.URL) bool {
	host := strings.ToLower(origin.Hostname())
	return (r.scheme == "" || r.scheme == origin.Scheme) &&
		(r.port == "" || r.port == portOf(origin)) &&
		(host == r.host || r.deep && strings.HasSuffix(host, "."+r.host))
}

// portOf is the port of a URL, which may be its scheme's.
func portOf(u *url.URL) string {
	if port := u.Port(); port != "" {
		return port
	}
	switch u.Scheme {
	case "http", "ws":
		return "80"
	case "https", "wss":
		return "443"
	}
	return ""
}

// A Policy says which origins are allowed.
type Policy struct {
	any, self bool
	rules     []rule
	host      string
	custom    func(origin *url.URL, host string) bool
}

// New makes a policy of entries, each of them Any, Self or an address such as
// //example.com, https://example.com, //example.com:8080 or //*.example.com. With
// none, pages from host are allowed or, if that is "", from the host of the request.
// custom, unless nil, decides instead, but where Any is an entry. It gets the
// origin and the Host header.
func New(entries []string, host string, custom func(origin *url.URL, host string) bool) (Policy, error) {
	p := Policy{custom: custom, host: host}
	for _, entry := range entries {
		switch entry {
		case Any:
			p.any = true
		case Self:
			p.self = true
		default:
			r, err := parse(entry)
			if err != nil {
				return p, err
			}
			p.rules = append(p.rules, r)
		}
	}
	return p, nil
}

// Allows decides on the Origin header of a request to scheme://host.
func (p *Policy) Allows(header, scheme, host string) bool {
	origin, err := url.Parse(header)
	switch {
	case p.any:
		return true
	case err != nil:
		return false
	case p.custom != nil:
		return p.custom(origin, host)
	case origin.Host == "": // opaque: only a function can judge it
		return false
	case p.self && origin.Scheme == scheme && sameHost(origin, host):
		return true
	}
	for _, r := range p.rules {
		if r.allows(origin) {
			return true
		}
	}
	if p.self || len(p.rules) > 0 {
		return false
	}
	if p.host != "" {
		return strings.EqualFold(origin.Hostname(), p.host)
	}
	return sameHost(origin, host)
}

// sameHost compares host and port of an origin with a Host header. The ports of
// schemes may be left out.
func sameHost(origin *url.URL, host string) bool {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		name, port = host, ""
	}
	if port == "" {
		port = portOf(&url.URL{Scheme: origin.Scheme})
	}
	return strings.EqualFold(origin.Hostname(), strings.Trim(name, "[]")) && portOf(origin) == port
}
