package chat

import (
	"errors"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"strings"

	"github.com/roost-rt/roost/server/phx"
)

// prefixes is a flag of addresses and networks, separated by commas.
type prefixes []netip.Prefix

func (p *prefixes) String() string { return strings.Trim(fmt.Sprint([]netip.Prefix(*p)), "[]") }

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

// fromEnv sets the flags that begin with prefix, and are not given, from the
// environment: -tls-cert from ROOST_TLS_CERT.
func fromEnv(flags *flag.FlagSet, prefix string) error {
	given := make(map[string]bool)
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	var errs []error
	flags.VisitAll(func(f *flag.Flag) {
		name := "ROOST_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value := os.Getenv(name)
		if value == "" || given[f.Name] || !strings.HasPrefix(f.Name, prefix) {
			return
		}
		errs = append(errs, f.Value.Set(value))
	})
	return errors.Join(errs...)
}

// limitFlags are those of who may connect.
func limitFlags(flags *flag.FlagSet, cfg *phx.Config) {
	flags.IntVar(&cfg.MaxConns, "max-conns", 0, "`connections` at most; more get 503; 0 is what the limit of open files allows")
	flags.IntVar(&cfg.MaxConnsPerIP, "max-conns-per-ip", 0, "`connections` of one client's address at most; 0 is no limit")
	flags.IntVar(&cfg.AcceptRate, "accept-rate", 0, "`connections` accepted in a second; more get 503; 0 is no limit")
	flags.Var((*prefixes)(&cfg.TrustedProxies), "trusted-proxies", "`networks` of proxies whose X-Forwarded-For is believed, such as 10.0.0.0/8,127.0.0.1; default none")
	flags.Func("hosts", "`names` that requests may be for, such as chat.example.com, beside localhost; * is any; default any, but none others if -addr is a loopback address", func(text string) error {
		cfg.Hosts = strings.Split(text, ",")
		return nil
	})
	flags.BoolVar(&cfg.ProxyProtocol, "proxy-protocol", false, "connections of trusted proxies begin with a header of the PROXY protocol, version 2")
}
