package poller_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"

	"github.com/cloudwego/netpoll"

	"github.com/roost-rt/roost/poller"
)

// idleConns is how many connections BenchmarkIdleMemory holds in each process.
const idleConns = 8000

// BenchmarkIdleMemory is the measurement behind the decision not to use
// netpoll's Connection: the memory that a server keeps for a client that has had
// one message echoed and is idle since. Kernel memory is not in it. Each server
// is a process of its own, the clients are another. Run it with -benchtime 1x.
func BenchmarkIdleMemory(b *testing.B) {
	for _, kind := range []string{"poller", "netpoll", "netpoll-16k", "goroutine"} {
		b.Run(kind, func(b *testing.B) {
			for b.Loop() {
				server := spawn(b, "server "+kind)
				addr := server.line(b)
				empty := server.askResident(b)
				clients := spawn(b, "clients "+addr)
				clients.line(b) // all are idle
				full := server.askResident(b)
				b.ReportMetric(float64(full-empty)/idleConns, "B/conn")
				clients.end()
				server.end()
			}
			b.ReportMetric(0, "ns/op") // means nothing here
		})
	}
}

func (c *child) askResident(t testing.TB) int {
	t.Helper()
	if _, err := io.WriteString(c.in, "resident\n"); err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(c.line(t))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// memoryServer echoes in the way that kind names. It answers each line of its
// input with its resident memory in bytes.
func memoryServer(kind string) error {
	addr, err := map[string]func() (net.Addr, error){
		"poller":      serveOurs,
		"netpoll":     serveNetpoll,
		"netpoll-16k": serveNetpoll16k,
		"goroutine":   serveGoroutines,
	}[kind]()
	if err != nil {
		return err
	}
	if err := echoOnce(addr.String()); err != nil { // what is made for the first is not each one's
		return err
	}
	fmt.Println(addr)
	for in := bufio.NewScanner(os.Stdin); in.Scan(); {
		for range 2 { // sync.Pool lets go at the second
			runtime.GC()
		}
		debug.FreeOSMemory()
		n, err := residentBytes()
		if err != nil {
			return err
		}
		fmt.Println(n)
	}
	return nil
}

// residentBytes is field 2 of proc_pid_statm(5), in pages.
func residentBytes() (int, error) {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, err
	}
	pages, err := strconv.Atoi(strings.Fields(string(b))[1])
	return pages * os.Getpagesize(), err
}

func serveOurs() (net.Addr, error) {
	p, err := poller.New(poller.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, err
	}
	ln, err := p.Listen("127.0.0.1:0", func(c *poller.Conn) poller.Handler {
		c.SetIdle(0)
		return hooksEcho
	})
	if err != nil {
		return nil, err
	}
	return ln.Addr(), nil
}

// hooksEcho is shared, so that no handler is counted.
var hooksEcho = &hooks{data: func(c *poller.Conn, b []byte) { c.Send(b) }}

func serveNetpoll() (net.Addr, error) {
	ln, err := netpoll.CreateListener("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	loop, err := netpoll.NewEventLoop(func(_ context.Context, c netpoll.Connection) error {
		r, w := c.Reader(), c.Writer()
		b, err := r.Next(r.Len())
		if err != nil {
			return err
		}
		if _, err := w.WriteBinary(b); err != nil {
			return err
		}
		if err := w.Flush(); err != nil {
			return err
		}
		return r.Release()
	})
	if err != nil {
		return nil, err
	}
	go loop.Serve(ln) // until the process ends
	return ln.Addr(), nil
}

// serveNetpoll16k makes netpoll's buffers larger than the 8 KB up to which it
// keeps them: it gives them back when they are empty.
func serveNetpoll16k() (net.Addr, error) {
	netpoll.LinkBufferCap = 16384
	if err := netpoll.Configure(netpoll.Config{BufferSize: 16384}); err != nil {
		return nil, err
	}
	return serveNetpoll()
}

func serveGoroutines() (net.Addr, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() { // until the process ends
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			go echoForever(nc)
		}
	}()
	return ln.Addr(), nil
}

func echoForever(nc net.Conn) {
	defer nc.Close()
	buf := make([]byte, 4096)
	for {
		n, err := nc.Read(buf)
		if err != nil {
			return
		}
		if _, err := nc.Write(buf[:n]); err != nil {
			return
		}
	}
}

// memoryClients opens idleConns connections, one after the other, and keeps them
// until its input ends.
func memoryClients(addr string) error {
	var conns []net.Conn
	for range idleConns {
		nc, err := net.Dial("tcp", addr)
		if err != nil {
			return err
		}
		conns = append(conns, nc)
		if err := echo(nc); err != nil {
			return err
		}
	}
	fmt.Println("idle")
	_, err := io.Copy(io.Discard, os.Stdin)
	runtime.KeepAlive(conns)
	return err
}

func echoOnce(addr string) error {
	nc, err := net.Dial("tcp", addr)
	if err != nil {
		return err
	}
	defer nc.Close()
	return echo(nc)
}

func echo(nc net.Conn) error {
	sent := bytes.Repeat([]byte("x"), 128)
	if _, err := nc.Write(sent); err != nil {
		return err
	}
	_, err := io.ReadFull(nc, make([]byte, len(sent)))
	return err
}
