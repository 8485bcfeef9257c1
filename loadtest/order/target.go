package order

import (
	"cmp"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
)

// A Target is where clients connect to, and what they say to it first.
type Target struct {
	// URL is ws://HOST:PORT/PATH?QUERY, or wss. The port may be missing. The query
	// goes to the server as it stands here. A user and password are sent as
	// Authorization, unless Headers have one.
	URL string `json:"url,omitempty"`

	Greeting
	TLS TLS `json:"tls,omitzero"`
}

// A Greeting holds what the request of a WebSocket says besides its target. The zero
// value says nothing.
type Greeting struct {
	// Params are added to the query, each as "name=value", and escaped there.
	Params []string `json:"params,omitempty"`

	// Headers are fields of the request, each as "Name: value". Those of the
	// WebSocket itself cannot be among them.
	Headers []string `json:"headers,omitempty"`

	// Subprotocols are offered in this order.
	Subprotocols []string `json:"subprotocols,omitempty"`

	// AuthToken is offered as Phoenix clients do since 1.8, in a subprotocol of its
	// own behind "phoenix". Empty offers none.
	AuthToken string `json:"auth_token,omitempty"`
}

// reserved are fields of the request that belong to the WebSocket (RFC 6455 §4.1).
var reserved = []string{"Upgrade", "Connection", "Sec-WebSocket-Key", "Sec-WebSocket-Version", "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"}

// Check finds what cannot be meant.
func (t Target) Check() error {
	u, err := t.parse()
	if err != nil {
		return err
	}
	if err := t.Greeting.Check(); err != nil {
		return err
	}
	if u.Scheme == "ws" && t.TLS != (TLS{}) {
		return fmt.Errorf("url: %q is without TLS, and what was said of it does nothing there: want wss://", u.Redacted())
	}
	return t.TLS.Check()
}

// parse takes the URL apart.
func (t Target) parse() (*url.URL, error) {
	u, err := url.Parse(t.URL)
	switch {
	case err != nil:
		var of *url.Error
		if errors.As(err, &of) { // leaves out the URL, which may hold a password
			err = of.Err
		}
		return nil, fmt.Errorf("url: %w", err)
	case u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "":
		return nil, fmt.Errorf("url: %q: want ws://host:port or wss://host:port, with or without a path", u.Redacted())
	case strings.ContainsAny(t.URL, " \t"):
		return nil, errors.New("url: there is a space in it: want %20")
	}
	return u, nil
}

// mustParse is parse after Check.
func (t Target) mustParse() *url.URL {
	u, err := t.parse()
	if err != nil {
		panic(err)
	}
	return u
}

// Secure reports whether connections are TLS. It and the methods below are for
// what Check has let through.
func (t Target) Secure() bool { return t.mustParse().Scheme == "wss" }

// Addr is the host and port to connect to.
func (t Target) Addr() string {
	u := t.mustParse()
	port := "80"
	if u.Scheme == "wss" {
		port = "443"
	}
	return net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), port))
}

// Host returns the host of the request, from a header or else the URL.
func (t Target) Host() string { return cmp.Or(t.header("Host"), t.mustParse().Host) }

// Path returns the request target: path and query as the URL has them, and Params.
func (t Target) Path() string {
	_, rest, _ := strings.Cut(t.URL, "://")
	path := "/"
	if i := strings.IndexAny(rest, "/?#"); i >= 0 {
		path, _, _ = strings.Cut(rest[i:], "#")
	}
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	for _, p := range t.Params {
		glue := "&"
		if !strings.Contains(path, "?") {
			glue = "?"
		}
		name, value, _ := strings.Cut(p, "=")
		path += glue + url.QueryEscape(name) + "=" + url.QueryEscape(value)
	}
	return path
}

// header returns the value of a field, "" if there is none.
func (g Greeting) header(name string) string {
	for _, h := range g.Headers {
		if field, value := splitHeader(h); strings.EqualFold(field, name) {
			return value
		}
	}
	return ""
}

func splitHeader(h string) (name, value string) {
	name, value, _ = strings.Cut(h, ":")
	return strings.TrimSpace(name), strings.TrimSpace(value)
}

// Request is the head of the request (RFC 6455 §4.1), with a nonce as its key.
func (t Target) Request(nonce string) []byte {
	head := fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: %s\r\nSec-WebSocket-Version: 13\r\n", t.Path(), t.Host(), nonce)
	if offers := t.offers(); len(offers) > 0 {
		head = fmt.Appendf(head, "Sec-WebSocket-Protocol: %s\r\n", strings.Join(offers, ", "))
	}
	if user := t.mustParse().User; user != nil && t.header("Authorization") == "" {
		password, _ := user.Password()
		head = fmt.Appendf(head, "Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(user.Username()+":"+password)))
	}
	for _, h := range t.Headers {
		if name, value := splitHeader(h); !strings.EqualFold(name, "Host") {
			head = fmt.Appendf(head, "%s: %s\r\n", name, value)
		}
	}
	return append(head, "\r\n"...)
}

// offers are the subprotocols. The token is encoded as phoenix.js does it.
func (g Greeting) offers() []string {
	if g.AuthToken == "" {
		return g.Subprotocols
	}
	token := "base64url.bearer.phx." + base64.RawStdEncoding.EncodeToString([]byte(g.AuthToken))
	return append([]string{"phoenix", token}, g.Subprotocols...)
}

// Check finds what cannot be meant.
func (g Greeting) Check() error {
	for _, p := range g.Params {
		if name, _, found := strings.Cut(p, "="); !found || name == "" {
			return fmt.Errorf("param: %q: want name=value", p)
		}
	}
	for _, h := range g.Headers {
		name, value := splitHeader(h)
		switch {
		case !strings.Contains(h, ":") || !isToken(name):
			return fmt.Errorf("header: %q: want 'Name: value'", name)
		case strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }):
			return fmt.Errorf("header: %s: there is a control character in its value", name)
		}
		for _, r := range reserved {
			if strings.EqualFold(name, r) {
				return fmt.Errorf("header: %s belongs to the WebSocket; for subprotocols say -subprotocol", r)
			}
		}
	}
	for _, s := range g.Subprotocols {
		if !isToken(s) {
			return fmt.Errorf("subprotocol: %q is none: letters, digits and some marks, no spaces or commas", s)
		}
	}
	return nil
}

// isToken is RFC 9110 §5.6.2.
func isToken(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool {
		return c <= ' ' || c >= 0x7f || strings.ContainsRune(`"(),/:;<=>?@[\]{}`, c)
	})
}
