package conduct

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/roost-rt/roost/loadtest/order"
	"github.com/roost-rt/roost/loadtest/plan"
	"github.com/roost-rt/roost/loadtest/swarm"
)

// probePatience is how long a server has to answer one client.
const probePatience = 10 * time.Second

// Probe connects one client to each address of the server at c.URL and upgrades, so
// that a run with many clients does not fail for want of a server. It returns the
// addresses for the run (see plan.Config.Addrs), and a sentence about each that is left
// out. The error says what to look at.
func Probe(ctx context.Context, c plan.Config) (addrs []netip.AddrPort, without []string, err error) {
	p := probe{name: c.URL, target: c.Target(c.URL), raw: c.Protocol == plan.Raw}
	files, err := readPEM(c.TLS)
	if err != nil {
		return nil, nil, err
	}
	if p.tls, err = p.target.ClientConfig(files); err != nil {
		return nil, nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, probePatience)
	defer cancel()
	families, err := c.Resolve(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("cannot connect to %s: %w: %s", p.name, cause(err), whereToLook(err))
	}
	var first error
	for _, family := range families {
		errs := p.all(ctx, family)
		for i, addr := range family {
			if errs[i] == nil {
				addrs = append(addrs, addr)
				continue
			}
			first = errors.Join(first, errs[i])
			without = append(without, fmt.Sprintf("Address %s is left out: %v.", addr, errs[i]))
		}
		if len(addrs) > 0 {
			return addrs, without, nil
		}
	}
	return nil, nil, first
}

// A probe is one client's try.
type probe struct {
	name   string // of the server, for people
	target order.Target
	raw    bool        // it is no server of Channels
	tls    *tls.Config // nil without TLS
}

// all tries some addresses at a time, and returns what came of each.
func (p probe) all(ctx context.Context, addrs []netip.AddrPort) []error {
	errs := make([]error, len(addrs))
	var trying sync.WaitGroup
	for i, addr := range addrs {
		trying.Go(func() { errs[i] = p.try(ctx, addr) })
	}
	trying.Wait()
	return errs
}

func (p probe) try(ctx context.Context, addr netip.AddrPort) error {
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", addr.String())
	if err != nil {
		return fmt.Errorf("cannot connect to %s: %w: %s", p.name, cause(err), whereToLook(err))
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Now()) })() // it fails on closed connections, as the next call does
	if p.tls != nil {
		secure := tls.Client(conn, p.tls)
		if err := secure.Handshake(); err != nil {
			return fmt.Errorf("%s does not take TLS: %w", p.name, cause(err))
		}
		conn = secure
	}
	if _, err = conn.Write(p.target.Request(swarm.Nonce)); err == nil {
		err = readUpgrade(conn)
	}
	if err != nil {
		return fmt.Errorf("%s does not upgrade to WebSocket at %s: %w%s", p.name, p.target.Path(), cause(err), p.elsewhere())
	}
	return nil
}

// elsewhere is where the socket may be instead: in a URL people say where it is
// mounted, as they do to a client in JavaScript.
func (p probe) elsewhere() string {
	path, _, _ := strings.Cut(p.target.Path(), "?")
	if p.raw || strings.HasSuffix(path, "/websocket") {
		return ""
	}
	return "; is it at " + strings.TrimSuffix(path, "/") + "/websocket?"
}

func readUpgrade(conn net.Conn) error {
	var head []byte
	for buffer := make([]byte, 1024); ; {
		n, err := conn.Read(buffer)
		head = append(head, buffer[:n]...)
		if _, done, refused := swarm.CheckUpgrade(head); done || refused != nil {
			return refused
		}
		if err != nil {
			return err
		}
	}
}

// readPEM reads the files of a TLS.
func readPEM(t order.TLS) (files order.PEM, err error) {
	for _, f := range []struct {
		flag, name string
		to         *[]byte
	}{{"ca", t.CA, &files.CA}, {"cert", t.Cert, &files.Cert}, {"key", t.Key, &files.Key}} {
		if f.name == "" {
			continue
		}
		if *f.to, err = os.ReadFile(f.name); err != nil {
			return files, fmt.Errorf("%s: %w", f.flag, err)
		}
	}
	return files, nil
}

// cause leaves out of a network error what the sentence around it says.
func cause(err error) error {
	var op *net.OpError
	var call *os.SyscallError
	switch {
	case errors.As(err, &call):
		return call.Err
	case errors.As(err, &op):
		return op.Err
	}
	return err
}

func whereToLook(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return "is the server running, and is that its port?"
	case errors.Is(err, context.DeadlineExceeded):
		return "does a firewall drop packets to it?"
	}
	return "is the address right?"
}
