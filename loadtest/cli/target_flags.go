package cli

import (
	"errors"
	"flag"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
)

// targetFlags are about how clients reach and greet the server.
func targetFlags(f *flag.FlagSet, c *plan.Config) {
	f.Var((*sources)(&c.From), "from", "`addresses` of this host, and prefixes such as 2001:db8::/64, that clients connect from in turn: each address has its own ports; with -url")
	f.Var((*texts)(&c.Headers), "header", "`'Name: value'` that clients send when they connect, such as Cookie or Authorization; may be repeated")
	f.Var((*texts)(&c.Params), "param", "`name=value` to add to the query, escaped; may be repeated")
	f.Var((*texts)(&c.Subprotocols), "subprotocol", "`name` of a subprotocol to offer; may be repeated")
	f.StringVar(&c.AuthToken, "auth-token", "", "`token` that clients send in a subprotocol, as in Phoenix 1.8")
	f.StringVar(&c.TLS.CA, "ca", "", "PEM `file` of the authorities that may sign the certificate of a wss -url (default those of the system)")
	f.StringVar(&c.TLS.Cert, "cert", "", "PEM `file` of a certificate that clients show")
	f.StringVar(&c.TLS.Key, "key", "", "PEM `file` of its private key")
	f.StringVar(&c.TLS.ServerName, "server-name", "", "`name` that the server's certificate must have, sent as SNI (default the host of -url)")
	f.BoolVar(&c.TLS.Insecure, "insecure", false, "accept any certificate of the server")
	f.BoolVar(&c.TLS.Resume, "resume", false, "clients resume the TLS session of another client of their process if the server allows it (default a full handshake each)")
}

// texts is a flag that may be repeated.
type texts []string

func (t *texts) String() string { return strings.Join(*t, ", ") }

func (t *texts) Set(text string) error {
	*t = append(*t, text)
	return nil
}

// Get is for who looks at the kind of a flag.
func (t *texts) Get() any { return []string(*t) }

// sources is a flag. Addresses must be of this host; of a prefix any will do, if there
// is a route to it by way of this host.
type sources order.Sources

func (s *sources) String() string { return order.Sources(*s).String() }

// Get is for who looks at the kind of a flag.
func (s *sources) Get() any { return order.Sources(*s) }

func (s *sources) Set(list string) error {
	all, err := order.ParseSources(list)
	if err != nil {
		return err
	}
	for _, p := range all {
		if !p.IsSingleIP() {
			continue
		}
		socket, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(netip.AddrPortFrom(p.Addr(), 0)))
		if err != nil {
			return fmt.Errorf("%s is not an address of this host: %w", p.Addr(), errors.Unwrap(err))
		}
		socket.Close()
	}
	*s = sources(all)
	return nil
}
