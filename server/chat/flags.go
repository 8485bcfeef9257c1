package chat

import (
	"flag"
	"fmt"
	"net/netip"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// prefixes is a flag of addresses and networks, separated by commas.
type prefixes []netip.Prefix

func (p *prefixes) String() string {
	return strings.ReplaceAll(strings.Trim(fmt.Sprint([]netip.Prefix(*p)), "[]"), " ", ",")
}

// Set takes the flag's value; see flag.Value.
func (p *prefixes) Set(text string) error {
	*p = nil
	for part := range strings.SplitSeq(text, ",") {
		prefix, err := parsePrefix(strings.TrimSpace(part))
		if err != nil {
			return fmt.Errorf("%q: want addresses or networks, such as 10.0.0.0/8,127.0.0.1", part)
		}
		*p = append(*p, prefix)
	}
	return nil
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.Prefix(addr.BitLen())
	}
	return netip.ParsePrefix(text)
}

// texts is a flag of texts, separated by commas.
type texts []string

func (t *texts) String() string { return strings.Join(*t, ",") }

// Set takes the flag's value; see flag.Value.
func (t *texts) Set(text string) error {
	*t = strings.Split(text, ",")
	return nil
}

// limitFlags adds the flags that limit who may connect.
func limitFlags(flags *flag.FlagSet, cfg *phx.Config) {
	flags.IntVar(&cfg.MaxConns, "max-conns", 0, "maximum number of `connections`; more get 503; 0 means as many as the limit of open files leaves")
	flags.IntVar(&cfg.MaxConnsPerIP, "max-conns-per-ip", 0, "maximum number of `connections` from one client address; 0 means no limit")
	flags.IntVar(&cfg.AcceptRate, "accept-rate", 0, "`connections` accepted per second; more get 503; 0 means no limit")
	flags.Var((*prefixes)(&cfg.TrustedProxies), "trusted-proxies", "`networks` of proxies whose X-Forwarded-For is trusted, such as 10.0.0.0/8,127.0.0.1; default none")
	flags.Var((*texts)(&cfg.Hosts), "hosts", "`names` that requests may use in addition to localhost, such as chat.example.com; * means any; default any, or no others if -addr is a loopback address")
	flags.BoolVar(&cfg.ProxyProtocol, "proxy-protocol", false, "connections of trusted proxies begin with a header of the PROXY protocol, version 2")
}
