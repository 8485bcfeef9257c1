package poller_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// echo sends back what comes in.
type echo struct{ closed chan error }

func (e echo) Data(c *poller.Conn, data []byte) { c.Send(data) }
func (e echo) Timeout(c *poller.Conn)           { c.Finish() }
func (e echo) Closed(_ *poller.Conn, err error) { e.closed <- err }

// client collects what comes in.
type client struct {
	got    chan string
	closed chan error
}

func (h client) Data(_ *poller.Conn, data []byte) { h.got <- string(data) }
func (h client) Timeout(*poller.Conn)             {}
func (h client) Closed(_ *poller.Conn, err error) { h.closed <- err }

func TestEcho(t *testing.T) {
	p, err := poller.New(poller.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	server := echo{make(chan error, 1)}
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		c.SetIdle(300 * time.Millisecond)
		return server
	})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	h := client{make(chan string, 1), make(chan error, 1)}
	err = p.Dial(netip.Addr{}, netip.MustParseAddrPort(ln.Addr().String()), func(c *poller.Conn) poller.Handler {
		c.Send([]byte("hello"))
		return h
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := within(t, h.got); got != "hello" {
		t.Errorf("echo = %q, want %q", got, "hello")
	}
	// The idle timeout finishes the server's side; ours sees the end.
	if err := within(t, h.closed); err != nil {
		t.Errorf("client closed with %v, want nil", err)
	}
	if err := within(t, server.closed); err != nil {
		t.Errorf("server closed with %v, want nil", err)
	}
}

func within[T any](t *testing.T, from <-chan T) T {
	t.Helper()
	select {
	case v := <-from:
		return v
	case <-time.After(10 * time.Second):
		t.Fatal("nothing within 10 s")
		panic("unreachable")
	}
}
