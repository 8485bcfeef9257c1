package poller_test

import (
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/roost-rt/roost/poller"
)

func TestEcho(t *testing.T) {
	p := start(t, poller.Config{})
	_, nc := pair(t, p, hooks{data: func(c *poller.Conn, b []byte) { c.Send(b) }})
	for _, want := range []string{"hello", "again"} {
		if _, err := nc.Write([]byte(want)); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(want))
		if _, err := io.ReadFull(nc, got); err != nil || string(got) != want {
			t.Errorf("echo of %q = %q, %v", want, got, err)
		}
	}
}

var errOwn = errors.New("a reason of the test's own")

// Whatever ends a connection, Closed is called once, last, and says why.
func TestClosed(t *testing.T) {
	tests := []struct {
		name string
		end  func(*poller.Conn, *net.TCPConn)
		data func(*poller.Conn, []byte)
		want error
	}{
		{name: "peer closes", end: func(_ *poller.Conn, nc *net.TCPConn) { nc.Close() }},
		{name: "peer shuts its writing side", end: func(_ *poller.Conn, nc *net.TCPConn) { nc.CloseWrite() }},
		{name: "peer resets", end: func(_ *poller.Conn, nc *net.TCPConn) { nc.SetLinger(0); nc.Close() }, want: syscall.ECONNRESET},
		{name: "kill", end: func(c *poller.Conn, _ *net.TCPConn) { c.Kill(errOwn) }, want: errOwn},
		{name: "first kill counts", end: func(c *poller.Conn, _ *net.TCPConn) { c.Kill(errOwn); c.Kill(io.EOF) }, want: errOwn},
		{name: "kill for no reason", end: func(c *poller.Conn, _ *net.TCPConn) { c.Kill(nil) }, want: poller.ErrClosed},
		{name: "finish, then peer closes", end: func(c *poller.Conn, nc *net.TCPConn) { c.Finish(nil); io.Copy(io.Discard, nc); nc.Close() }},
		{name: "finish, then kill", end: func(c *poller.Conn, _ *net.TCPConn) { c.Finish(nil); c.Kill(errOwn) }, want: errOwn},
		{name: "kill, then finish", end: func(c *poller.Conn, _ *net.TCPConn) { c.Kill(errOwn); c.Finish(nil) }, want: errOwn},
		{name: "finish twice", end: func(c *poller.Conn, nc *net.TCPConn) { c.Finish(nil); c.Finish(nil); nc.Close() }},
		{
			name: "handler panics",
			end:  func(_ *poller.Conn, nc *net.TCPConn) { nc.Write([]byte("x")) },
			data: func(*poller.Conn, []byte) { panic("on purpose") },
			want: poller.ErrClosed,
		},
		{
			name: "kill in Data",
			end:  func(_ *poller.Conn, nc *net.TCPConn) { nc.Write([]byte("x")) },
			data: func(c *poller.Conn, _ []byte) { c.Kill(errOwn) },
			want: errOwn,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := start(t, poller.Config{Logger: slog.New(slog.DiscardHandler)})
			var over atomic.Bool
			closed := make(chan error, 2)
			c, nc := pair(t, p, hooks{
				data: func(c *poller.Conn, b []byte) {
					if over.Load() {
						t.Error("Data after Closed")
					}
					if tt.data != nil {
						tt.data(c, b)
					}
				},
				closed: func(c *poller.Conn, err error) {
					if over.Swap(true) {
						t.Error("Closed twice")
					}
					if c.RemoteAddr().IsValid() || c.LocalAddr().IsValid() {
						t.Error("a closed connection has addresses")
					}
					closed <- err
				},
			})
			tt.end(c, nc)
			if err := within(t, closed); !errors.Is(err, tt.want) {
				t.Errorf("Closed(%v), want %v", err, tt.want)
			}
			for what, err := range map[string]error{"Send": c.Send([]byte("x")), "SendShared": c.SendShared([]byte("x"))} {
				if err != poller.ErrClosed {
					t.Errorf("%s after Closed = %v, want %v", what, err, poller.ErrClosed)
				}
			}
			c.Kill(io.EOF)
			c.Finish(nil)
			p.Close() // what comes late has come then
			if n := p.Conns(); n != 0 {
				t.Errorf("Conns = %d, want 0", n)
			}
		})
	}
}

// The loop is held in Data until more bytes have come in; after Kill or Finish
// these must not be handed over.
func TestNoDataAfterEnd(t *testing.T) {
	tests := map[string]func(*poller.Conn){
		"kill":   func(c *poller.Conn) { c.Kill(errOwn) },
		"finish": func(c *poller.Conn) { c.Finish(nil) },
		"panic":  func(*poller.Conn) { panic("on purpose") },
	}
	for name, end := range tests {
		t.Run(name, func(t *testing.T) {
			p := start(t, poller.Config{Logger: slog.New(slog.DiscardHandler)})
			var calls atomic.Int32
			entered, more, closed := make(chan bool, 9), make(chan bool, 1), make(chan error, 1)
			_, nc := pair(t, p, hooks{
				data: func(c *poller.Conn, _ []byte) {
					calls.Add(1)
					entered <- true
					<-more
					end(c)
				},
				closed: func(_ *poller.Conn, err error) { closed <- err },
			})
			nc.Write([]byte("first"))
			within(t, entered)
			nc.Write([]byte("second"))
			close(more)
			io.Copy(io.Discard, nc) // until our side has ended
			nc.Close()
			within(t, closed)
			if n := calls.Load(); n != 1 {
				t.Errorf("Data was called %d times, want 1", n)
			}
		})
	}
}

// A peer may send much and close: all of it is read, although netpoll hangs up
// after one OnRead, which reads 1 MiB at most. For that much to be in the kernel,
// its buffer must have grown by traffic, and the loop be held until it is full.
func TestDataBeforeClose(t *testing.T) {
	const grow, size = 24 << 20, 28 << 20
	p := start(t, poller.Config{})
	got, all := 0, make(chan bool)
	closed := make(chan error, 1)
	_, nc := pair(t, p, hooks{
		data: func(_ *poller.Conn, b []byte) {
			if got += len(b); got >= grow {
				<-all
			}
		},
		closed: func(_ *poller.Conn, err error) { closed <- err },
	})
	if _, err := nc.Write(make([]byte, size)); err != nil {
		t.Fatal(err)
	}
	nc.CloseWrite()
	awaitAcknowledged(t, nc)
	close(all)
	if err := within(t, closed); err != nil {
		t.Errorf("Closed(%v), want nil", err)
	}
	if got != size {
		t.Errorf("read %d bytes, want %d", got, size)
	}
}

// awaitAcknowledged waits until the peer's kernel has what was sent, or has no
// room for it.
func awaitAcknowledged(t *testing.T, nc *net.TCPConn) {
	t.Helper()
	raw, err := nc.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		var unsent int
		raw.Control(func(fd uintptr) { unsent, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
		if err != nil {
			t.Fatal(err)
		}
		if unsent == 0 {
			return
		}
	}
	t.Log("the kernel's receive buffer is small: not all was in it")
}

// A client that sends its request and shuts its side still gets the answer that
// is given at once.
func TestAnswerAfterHalfClose(t *testing.T) {
	p := start(t, poller.Config{})
	_, nc := pair(t, p, hooks{data: func(c *poller.Conn, _ []byte) { c.Send([]byte("answer")) }})
	nc.Write([]byte("request"))
	nc.CloseWrite()
	got, err := io.ReadAll(nc)
	if err != nil || string(got) != "answer" {
		t.Errorf("read %q, %v, want %q", got, err, "answer")
	}
}

// A panic costs its own connection and no other.
func TestPanicIsContained(t *testing.T) {
	p := start(t, poller.Config{Loops: 1, Logger: slog.New(slog.DiscardHandler)})
	addr := listen(t, p, func(*poller.Conn) poller.Handler {
		return hooks{
			data: func(c *poller.Conn, b []byte) {
				if string(b) == "panic" {
					panic("in Data")
				}
				c.Send(b)
			},
			timeout: func(*poller.Conn) { panic("in Timeout") },
			closed:  func(*poller.Conn, error) { panic("in Closed") },
		}
	})
	bystander := dial(t, addr)
	culprit := dial(t, addr)
	culprit.Write([]byte("panic"))
	if _, err := culprit.Read(make([]byte, 1)); err == nil {
		t.Error("the connection whose handler panicked is open")
	}
	p.Each(func(c *poller.Conn) { c.SetDeadline(time.Millisecond); panic("in Each") })
	if _, err := bystander.Read(make([]byte, 1)); err == nil {
		t.Error("the connection whose Timeout panicked is open")
	}
	last := dial(t, addr)
	last.Write([]byte("alive"))
	got := make([]byte, 5)
	if _, err := io.ReadFull(last, got); err != nil {
		t.Errorf("the loop is dead: %v", err)
	}
}

// A handler that calls runtime.Goexit ends its connection: other goroutines go on with
// the loop, in its own events and in tasks.
func TestGoexitIsContained(t *testing.T) {
	p := start(t, poller.Config{Loops: 1})
	addr := listen(t, p, func(*poller.Conn) poller.Handler {
		return hooks{
			data: func(c *poller.Conn, b []byte) {
				switch string(b) {
				case "exit":
					runtime.Goexit()
				case "task":
					c.Post(func() { c.Kill(nil); runtime.Goexit() })
				default:
					c.Send(b)
				}
			},
			closed: func(*poller.Conn, error) { runtime.Goexit() },
		}
	})
	bystander := dial(t, addr)
	for i := range 20 {
		culprit := dial(t, addr)
		culprit.Write([]byte([...]string{"exit", "task"}[i%2]))
		if _, err := culprit.Read(make([]byte, 1)); err == nil {
			t.Error("the connection whose handler has left is open")
		}
		bystander.Write([]byte("alive"))
		if _, err := io.ReadFull(bystander, make([]byte, 5)); err != nil {
			t.Fatalf("the loop is dead: %v", err)
		}
	}
}

func TestAddr(t *testing.T) {
	p := start(t, poller.Config{})
	c, nc := pair(t, p, hooks{})
	if got, want := c.RemoteAddr(), addrPort(nc.LocalAddr()); got != want {
		t.Errorf("RemoteAddr = %v, want %v", got, want)
	}
	if got, want := c.LocalAddr(), addrPort(nc.RemoteAddr()); got != want {
		t.Errorf("LocalAddr = %v, want %v", got, want)
	}
}

func addrPort(a net.Addr) netip.AddrPort { return a.(*net.TCPAddr).AddrPort() }

// Handlers change on the loop, but not after the end: a closed connection that
// had one again would be asked for its Timeout.
func TestSetHandler(t *testing.T) {
	p := start(t, poller.Config{})
	closed := make(chan string, 2)
	named := func(name string) hooks {
		return hooks{closed: func(*poller.Conn, error) { closed <- name }}
	}
	c, nc := pair(t, p, named("first"))
	ran := make(chan poller.Handler)
	c.Post(func() { c.SetHandler(named("second")); ran <- nil })
	within(t, ran)
	nc.Close()
	if got := within(t, closed); got != "second" {
		t.Errorf("Closed of the %s handler, want the second", got)
	}
	c.Post(func() { c.SetHandler(named("third")); ran <- c.Handler() })
	if h := within(t, ran); h != nil {
		t.Errorf("handler of a closed connection = %v, want nil", h)
	}
}
