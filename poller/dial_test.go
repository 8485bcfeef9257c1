package poller_test

import (
	"errors"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"testing"

	"github.com/roost-rt/roost/poller"
)

// With FreeBind an address that is not of this host can be bound; what connect says
// then is about the way there.
func TestDialFromElsewhere(t *testing.T) {
	t.Parallel()
	for _, free := range []bool{false, true} {
		p := start(t, poller.Config{FreeBind: free})
		err := p.Dial(netip.MustParseAddr("192.0.2.77"), netip.MustParseAddrPort("127.0.0.1:9"), func(*poller.Conn) poller.Handler { return hooks{} })
		if bound := err == nil || !strings.Contains(err.Error(), "bind"); bound != free {
			t.Errorf("FreeBind %v: Dial = %v", free, err)
		}
	}
}

func TestDial(t *testing.T) {
	p := start(t, poller.Config{})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	local := netip.MustParseAddr("127.0.0.5")
	closed := make(chan error, 1)
	err = p.Dial(local, addrPort(ln.Addr()), func(c *poller.Conn) poller.Handler {
		c.Send([]byte("sent before the connection stands"))
		c.Finish(nil)
		return hooks{closed: func(_ *poller.Conn, err error) { closed <- err }}
	})
	if err != nil {
		t.Fatal(err)
	}
	nc, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if got := addrPort(nc.RemoteAddr()).Addr(); got != local {
		t.Errorf("dialed from %v, want %v", got, local)
	}
	expect(t, nc, []byte("sent before the connection stands"))
	nc.Close()
	if err := within(t, closed); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
}

func TestDialRefused(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := addrPort(ln.Addr())
	ln.Close()
	for name, open := range map[string]func(*poller.Conn){
		"silent":  func(*poller.Conn) {},
		"sending": func(c *poller.Conn) { c.Send([]byte("hello")) },
	} {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{})
			closed := make(chan error, 1)
			err := p.Dial(netip.Addr{}, nobody, func(c *poller.Conn) poller.Handler {
				open(c)
				return hooks{closed: func(_ *poller.Conn, err error) { closed <- err }}
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := within(t, closed); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("Closed(%v), want %v", err, syscall.ECONNREFUSED)
			}
		})
	}
}

// What this machine cannot do is told at once, and costs no descriptor.
func TestDialFails(t *testing.T) {
	p := start(t, poller.Config{})
	before := descriptors(t)
	// RFC 5737: an address for documentation, in use nowhere.
	err := p.Dial(netip.MustParseAddr("192.0.2.1"), netip.MustParseAddrPort("127.0.0.1:9"), nil)
	if !errors.Is(err, syscall.EADDRNOTAVAIL) {
		t.Errorf("Dial from 192.0.2.1 = %v, want %v", err, syscall.EADDRNOTAVAIL)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
	p.Close()
	before = descriptors(t)
	err = p.Dial(netip.Addr{}, netip.MustParseAddrPort("127.0.0.1:9"), nil)
	if !errors.Is(err, poller.ErrStopped) {
		t.Errorf("Dial after Close = %v, want %v", err, poller.ErrStopped)
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}
