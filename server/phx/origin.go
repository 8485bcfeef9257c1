package phx

import (
	"fmt"
	"net"
	"net/url"
	"strings"
)

// Entries of Mount.Origins that are no addresses.
const (
	// AnyOrigin allows pages from everywhere. A server that trusts cookies must
	// not use it (spec §10.3).
	AnyOrigin = "*"

	// SelfOrigin allows pages whose scheme, host and port are those of the
	// request itself. Behind a proxy that ends TLS, pages are of https and
	// requests are not.
	SelfOrigin = "self"
)

// An originRule is an entry of Mount.Origins (spec §1.4).
type originRule struct {
	scheme, host, port string // "" stands for any, but for host
	deep               bool   // subdomains of host, too
}

// parseOrigin makes a rule of an entry that is neither AnyOrigin nor SelfOrigin.
func parseOrigin(entry string) (originRule, error) {
	u, err := url.Parse(entry)
	if err != nil || u.Hostname() == "" || u.Path != "" || u.RawQuery != "" || u.User != nil {
		return originRule{}, fmt.Errorf("%q is no origin: want //example.com, https://example.com, //example.com:8080, //*.example.com, %q or %q",
			entry, SelfOrigin, AnyOrigin)
	}
	rule := originRule{scheme: u.Scheme, host: strings.ToLower(u.Hostname()), port: u.Port()}
	if rule.scheme != "" {
		rule.port = portOf(u)
	}
	rule.host, rule.deep = strings.CutPrefix(rule.host, "*.")
	if strings.Contains(rule.host, "*") {
		return originRule{}, fmt.Errorf("%q is no origin: a * can only stand for subdomains, as in //*.example.com", entry)
	}
	return rule, nil
}

func (r originRule) allows(origin *url.URL) bool {
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

// origins decides for one mount.
type origins struct {
	any, self bool
	rules     []originRule
	host      string // Config.Host: the rule if there is no other
	custom    func(origin *url.URL, host string) bool
}

func newOrigins(m *Mount, host string) (origins, error) {
	o := origins{custom: m.CheckOrigin, host: host}
	for _, entry := range m.Origins {
		switch entry {
		case AnyOrigin:
			o.any = true
		case SelfOrigin:
			o.self = true
		default:
			rule, err := parseOrigin(entry)
			if err != nil {
				return o, err
			}
			o.rules = append(o.rules, rule)
		}
	}
	return o, nil
}

// allows decides on the Origin header of a request to scheme://host.
func (o *origins) allows(header, scheme, host string) bool {
	origin, err := url.Parse(header)
	switch {
	case o.any:
		return true
	case err != nil:
		return false
	case o.custom != nil:
		return o.custom(origin, host)
	case origin.Host == "": // opaque: nobody but a function can know it
		return false
	case o.self && origin.Scheme == scheme && sameHost(origin, host):
		return true
	}
	for _, rule := range o.rules {
		if rule.allows(origin) {
			return true
		}
	}
	if o.self || len(o.rules) > 0 {
		return false
	}
	if o.host != "" {
		return strings.EqualFold(origin.Hostname(), o.host)
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
