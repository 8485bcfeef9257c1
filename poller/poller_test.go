package poller_test

import (
	"io"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/roost-rt/roost/poller"
)

func TestEach(t *testing.T) {
	p := start(t, poller.Config{Loops: 2})
	var opened sync.WaitGroup
	opened.Add(10)
	addr := listen(t, p, func(*poller.Conn) poller.Handler { opened.Done(); return hooks{} })
	for range 10 {
		dial(t, addr)
	}
	opened.Wait()
	eventually(t, "ten connections", func() bool { return p.Conns() == 10 })
	var n atomic.Int32
	p.Each(func(*poller.Conn) { n.Add(1) })
	if n.Load() != 10 {
		t.Errorf("Each found %d connections, want 10", n.Load())
	}
}

// To look at all connections takes several passes of the loop: others have theirs in
// between.
func TestEachLeavesPasses(t *testing.T) {
	const conns = 600
	p := start(t, poller.Config{Loops: 1})
	for range conns {
		c, err := p.Pipe(func(*poller.Conn) poller.Handler { return hooks{} })
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	eventually(t, "all connections", func() bool { return p.Conns() == conns })
	seen, between := 0, 0
	p.Each(func(c *poller.Conn) {
		if seen++; seen == 1 {
			c.Post(func() { between = seen })
		}
	})
	if seen != conns || between == 0 || between == conns {
		t.Errorf("%d of %d connections were seen, and %d of them before another task", seen, conns, between)
	}
}

// Close ends all connections and comes back when all handlers know.
func TestClose(t *testing.T) {
	p := start(t, poller.Config{})
	var told atomic.Int32
	addr := listen(t, p, func(*poller.Conn) poller.Handler {
		return hooks{closed: func(_ *poller.Conn, err error) {
			if err != poller.ErrStopped {
				t.Errorf("Closed(%v), want %v", err, poller.ErrStopped)
			}
			told.Add(1)
		}}
	})
	for range 100 {
		dial(t, addr)
	}
	eventually(t, "a hundred connections", func() bool { return p.Conns() == 100 })
	p.Close()
	if n := told.Load(); n != 100 {
		t.Errorf("%d handlers were told, want 100", n)
	}
	p.Close()
	p.Each(func(*poller.Conn) { t.Error("Each found a connection after Close") })
}

// Connections that start while the Poller stops are told so, too: every handler
// has its Closed, and no descriptor is left.
func TestCloseAgainstStart(t *testing.T) {
	before := descriptors(t)
	for range 10 {
		p, err := poller.New(poller.Config{Loops: 2})
		if err != nil {
			t.Fatal(err)
		}
		var open atomic.Int32
		handler := func(*poller.Conn) poller.Handler {
			open.Add(1)
			return hooks{closed: func(*poller.Conn, error) { open.Add(-1) }}
		}
		ln, err := p.Listen("127.0.0.1:0", handler)
		if err != nil {
			t.Fatal(err)
		}
		var dialers sync.WaitGroup
		for range 4 {
			dialers.Go(func() {
				for p.Dial(netip.Addr{}, addrPort(ln.Addr()), handler) == nil {
				}
			})
		}
		eventually(t, "some connections", func() bool { return p.Conns() > 10 })
		p.Close()
		dialers.Wait()
		ln.Close() // too late, and yet without harm
		ln.Close()
		if n := open.Load(); n != 0 {
			t.Fatalf("%d handlers never heard of the end", n)
		}
	}
	eventually(t, "descriptors are given back", func() bool { return descriptors(t) == before })
}

// Many connections come and go in many ways; nothing is left.
func TestChurn(t *testing.T) {
	before := descriptors(t)
	p := start(t, poller.Config{Loops: 2, SendBuffer: 8 << 10})
	var open atomic.Int32
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		if open.Add(1); open.Load()%7 == 0 {
			open.Add(-1)
			return nil
		}
		return hooks{
			data: func(c *poller.Conn, b []byte) {
				switch b[0] {
				case 'k':
					c.Kill(errOwn)
				case 'f':
					c.Send(b)
					c.Finish(nil)
				default:
					go c.Send(b)
				}
			},
			closed: func(*poller.Conn, error) { open.Add(-1) },
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for i := range 16 {
		clients.Go(func() {
			for j := range 100 {
				nc, err := net.Dial("tcp", ln.Addr().String())
				if err != nil {
					t.Error(err)
					return
				}
				nc.Write([]byte{"kfer"[(i+j)%4]})
				switch (i + j) % 4 {
				case 0, 1:
					io.Copy(io.Discard, nc)
				case 3:
					nc.(*net.TCPConn).SetLinger(0)
				}
				nc.Close()
			}
		})
	}
	clients.Wait()
	ln.Close()
	p.Close()
	if n := open.Load(); n != 0 {
		t.Errorf("%d handlers never heard of the end", n)
	}
	eventually(t, "descriptors are given back", func() bool { return descriptors(t) == before })
}
