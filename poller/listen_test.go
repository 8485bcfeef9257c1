package poller_test

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// open may refuse a connection, even in its own rude way.
func TestRefuse(t *testing.T) {
	p := start(t, poller.Config{Logger: slog.New(slog.DiscardHandler)})
	var n atomic.Int32
	addr := listen(t, p, func(c *poller.Conn) poller.Handler {
		switch n.Add(1) {
		case 1:
			c.Send([]byte("no"))
			return nil
		case 2:
			panic("in open")
		}
		c.Send([]byte("yes"))
		return hooks{}
	})
	for _, want := range []string{"no", ""} {
		got, err := io.ReadAll(dial(t, addr))
		if err != nil || string(got) != want {
			t.Errorf("refused with %q, %v, want %q", got, err, want)
		}
	}
	expect(t, dial(t, addr), []byte("yes"))
	eventually(t, "one connection", func() bool { return p.Conns() == 1 })
}

// Close stops accepting at once; connections stay.
func TestListenerClose(t *testing.T) {
	p := start(t, poller.Config{})
	ln, err := p.Listen("127.0.0.1:0", func(*poller.Conn) poller.Handler {
		return hooks{data: func(c *poller.Conn, b []byte) { c.Send(b) }}
	})
	if err != nil {
		t.Fatal(err)
	}
	nc := dial(t, ln.Addr().String())
	nc.Write([]byte("one"))
	expect(t, nc, []byte("one"))
	ln.Close()
	ln.Close()
	if late, err := net.Dial("tcp", ln.Addr().String()); err == nil {
		late.Close()
		t.Error("the address still takes connections")
	}
	nc.Write([]byte("two"))
	expect(t, nc, []byte("two"))
}

// A listener that outlives its poller hands it no connection.
func TestListenerOutlivesPoller(t *testing.T) {
	p := start(t, poller.Config{Loops: 1})
	addr := listen(t, p, func(*poller.Conn) poller.Handler {
		t.Error("a connection was opened")
		return nil
	})
	p.Close()
	for range 20 {
		c := dial(t, addr)
		if n, err := c.Read(make([]byte, 1)); n > 0 || err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("read %d bytes, %v; want the end", n, err)
		}
	}
}

func TestListenFails(t *testing.T) {
	p := start(t, poller.Config{})
	addr := listen(t, p, nil)
	before := descriptors(t)
	for _, addr := range []string{addr, "nonsense"} {
		if ln, err := p.Listen(addr, nil); err == nil {
			ln.Close()
			t.Errorf("Listen(%q) = nil, want an error", addr)
		}
	}
	if n := descriptors(t); n != before {
		t.Errorf("%d descriptors, %d before", n, before)
	}
}

// Without descriptors, new connections are refused: said once, without spinning,
// and for as long as it takes. netpoll's own listener does not survive the second
// time. The server is a process of its own, since the limit is a process's.
func TestOutOfDescriptors(t *testing.T) {
	server := spawn(t, "greeter")
	addr := server.line(t)
	for round := range 2 {
		var greeted, refused int
		clients := make([]*net.TCPConn, 100)
		for i := range clients {
			clients[i] = dial(t, addr)
			if _, err := clients[i].Read(make([]byte, 1)); err == nil {
				greeted++
			} else {
				refused++
			}
		}
		if greeted < 10 || refused < 10 {
			t.Errorf("round %d: %d greeted, %d refused, want some of both", round, greeted, refused)
		}
		begin, window := server.cpuTime(t), 500*time.Millisecond
		<-time.After(window)
		if used := server.cpuTime(t) - begin; used > window/2 {
			t.Errorf("round %d: %v of processor time in %v with nothing to do", round, used, window)
		}
		for _, nc := range clients {
			nc.Close()
		}
		eventually(t, "the server greets again", func() bool {
			nc := dial(t, addr)
			defer nc.Close()
			_, err := nc.Read(make([]byte, 1))
			return err == nil
		})
	}
	said := server.end()
	if n := strings.Count(said, "out of file descriptors"); n != 1 {
		t.Errorf("said %d times that there are no descriptors, want once:\n%s", n, said)
	}
}

// greeter serves with few descriptors until its input ends.
func greeter(string) error {
	p, err := poller.New(poller.Config{Logger: slog.New(slog.NewTextHandler(os.Stdout, nil))})
	if err != nil {
		return err
	}
	defer p.Close()
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		c.Send([]byte("!"))
		return hooks{}
	})
	if err != nil {
		return err
	}
	defer ln.Close()
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 64, Max: 64}); err != nil {
		return err
	}
	fmt.Println(ln.Addr())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A Unix listener of package net's is like one of ours, and its file goes with it.
func TestAttachListener(t *testing.T) {
	p := start(t, poller.Config{})
	before := descriptors(t)
	path := filepath.Join(t.TempDir(), "socket")
	unix, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := p.AttachListener(unix, func(*poller.Conn) poller.Handler { return echoes{} })
	if err != nil {
		t.Fatal(err)
	}
	nc, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	nc.Write([]byte("hello"))
	expect(t, nc, []byte("hello"))
	nc.Close()
	ln.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("after Close: %v, want no file", err)
	}
	var unknown net.UnknownNetworkError
	wrapped := struct{ net.Listener }{unix}
	if _, err := p.AttachListener(wrapped, nil); !errors.As(err, &unknown) {
		t.Errorf("a wrapped listener: %v, want UnknownNetworkError", err)
	}
	eventually(t, "all descriptors are closed", func() bool { return descriptors(t) == before })
}
