package chat

import (
	"errors"
	"fmt"
	"net"
	"regexp"
	"strings"
	"sync"
	"syscall"
)

// maxUnixPath is the longest path that fits into a socket's address with a zero behind
// it; see unix(7).
const maxUnixPath = 107

// checkAddr finds what is wrong with -addr, as far as that can be said without
// listening there.
func checkAddr(addr string) error {
	switch path, unix := strings.CutPrefix(addr, "unix:"); {
	case !unix:
		return checkHostPort("addr", addr, ", or unix:PATH")
	case path == "":
		return errors.New(`-addr is "unix:": want a path behind it, such as unix:/run/roost.sock`)
	case len(path) > maxUnixPath:
		return fmt.Errorf("-addr is %q: the path of a Unix socket has at most %d bytes: choose a shorter one", addr, maxUnixPath)
	}
	return nil
}

// checkHostPort is checkAddr for a flag that also takes others.
func checkHostPort(name, addr, others string) error {
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		return fmt.Errorf("-%s is %q: want HOST:PORT, such as 127.0.0.1:4000 or :4000%s", name, addr, others)
	}
	if _, err := net.LookupPort("tcp", port); err != nil {
		return fmt.Errorf("-%s is %q: want a port from 0, which picks a free one, to 65535", name, addr)
	}
	return nil
}

// adviseAddr says which flag an error of listening is about, and what to do.
func adviseAddr(name, addr string, err error) error {
	err = fmt.Errorf("-%s is %q: %w", name, addr, err)
	_, port, _ := net.SplitHostPort(addr)
	var lookup *net.DNSError
	fix := ""
	switch unix := strings.HasPrefix(addr, "unix:"); {
	case errors.Is(err, syscall.EMFILE):
		fix = "The limit of open files is too low to start at all: raise it with ulimit -n"
	case unix && errors.Is(err, syscall.EADDRINUSE):
		fix = "The file is there already: of another server, or of one that was killed. If none runs, remove it"
	case unix:
		fix = "Choose a path in a directory that exists and that this user may write to"
	case errors.Is(err, syscall.EADDRINUSE):
		fix = fmt.Sprintf("Another program listens on %s. End it, or choose another port: -%s 127.0.0.1:0 picks a free one", addr, name)
	case errors.Is(err, syscall.EACCES):
		fix = fmt.Sprintf("Port %s is for privileged users only: choose one from 1024 on", port)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		fix = fmt.Sprintf("This host does not have that address: choose one that it has, or :%s for all of them", port)
	case errors.As(err, &lookup):
		fix = fmt.Sprintf("No address of this host is found by that name: choose an address, or :%s for all of them", port)
	default:
		return err
	}
	return fmt.Errorf("%w\n%s", err, fix)
}

// flagOf are the flags that set the fields of phx.Config and cluster.Config.
var flagOf = map[string]string{
	"Loops": "-loops", "Workers": "-workers", "OutboundMax": "-outbound-max", "ReadyPath": "-ready",
	"MaxConns": "-max-conns", "MaxConnsPerIP": "-max-conns-per-ip", "AcceptRate": "-accept-rate",
	"TrustedProxies": "-trusted-proxies", "Hosts": "-hosts", "ProxyProtocol": "-proxy-protocol",
	"Config.URL": "-cluster", "Config.CA": "-cluster-ca", "Config.Cert and Key": "-cluster-cert and -cluster-key",
	"Config.Cert": "-cluster-cert", "Config.Key": "-cluster-key", "Config.Creds": "-cluster-creds", "Config.NKey": "-cluster-nkey",
	"Config.Secret": "-cluster-secret-file",
}

// fields matches words that may be field names in the text of an error. Most servers never need it.
var fields = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`\b(Config\.Cert and Key|(Config\.)?[A-Z][A-Za-z]+)\b`)
})

// inFlags returns the text of an error about configuration in the words of whoever has
// set it.
func inFlags(err error) string {
	text := strings.TrimPrefix(err.Error(), "phx: configuration: ")
	return fields().ReplaceAllStringFunc(text, func(field string) string {
		if name, ok := flagOf[field]; ok {
			return name
		}
		return field
	})
}
