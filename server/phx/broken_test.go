package phx_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/server/phx"
)

// Clients that break every rule, 20,000 of them in crowds of 4,000: a good client
// is served meanwhile, and nothing of them is left afterwards.
func TestBrokenClients(t *testing.T) {
	rounds, crowd := 5, 4000
	if testing.Short() {
		rounds, crowd = 1, 500
	}
	ep := startConfig(t, phx.Config{
		Workers: 4, HandshakeTimeout: 2 * time.Second,
		Mounts: []phx.Mount{{Path: "/socket", Routes: []phx.Route{{Pattern: "*", Type: transcriptRoom()}}}},
	})
	good := dial(t, ep)
	good.join("room:1")
	misbehave(t, ep.Addr().String(), good, 200) // what the runtime keeps anyway
	before := use(t, ep)
	for range rounds {
		misbehave(t, ep.Addr().String(), good, crowd)
	}
	after := use(t, ep)
	if after.descriptors > before.descriptors {
		t.Errorf("%d descriptors are open, %d before", after.descriptors, before.descriptors)
	}
	if after.goroutines > before.goroutines+8 { // idle workers
		t.Errorf("%d goroutines are left, %d before", after.goroutines, before.goroutines)
	}
	// 4 MiB is 200 bytes for each of them, less than any of their connections;
	// netpoll keeps some 250 bytes for each operator that was in use at one time.
	if after.heap > before.heap+4<<20 {
		t.Errorf("%d KiB of heap are in use, %d before", after.heap>>10, before.heap>>10)
	}
}

// usage is the resources that a process holds.
type usage struct {
	descriptors, goroutines int
	heap                    uint64
}

// use measures, once only the good client is left.
func use(t *testing.T, ep *phx.Endpoint) usage {
	t.Helper()
	want := phx.Stats{Connections: 1, Sockets: 1, Channels: 1}
	eventually(t, "only the good client is left", func() bool { return ep.Stats() == want && ep.Subscribers("room:1") == 1 })
	eventually(t, "HTTP connections are gone", func() bool { return descriptors(t) < 200 })
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what sync.Pools keep survives one
	runtime.ReadMemStats(&m)
	return usage{descriptors(t), runtime.NumGoroutine(), m.HeapAlloc}
}

func descriptors(t *testing.T) int {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(files)
}

// misbehave has n broken clients connect, do their worst and be gone. The good
// client talks meanwhile.
func misbehave(t *testing.T, addr string, good *client, n int) {
	t.Helper()
	var all sync.WaitGroup
	dials := make(chan struct{}, 64) // at a time
	for i := range n {
		all.Go(func() {
			end := time.Now().Add(5 * patience) // so many take a busy machine longer
			err := errLate
			for errors.Is(err, errLate) && time.Now().Before(end) {
				err = misdeeds[i%len(misdeeds)].once(addr, dials, end)
			}
			if err != nil {
				t.Errorf("client %d, %s: %v", i, misdeeds[i%len(misdeeds)].name, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { all.Wait(); close(done) }() // awaited below
	for i := 0; ; i++ {
		good.say(fmt.Sprintf(`["1","%d","room:1","echo",{}]`, i))
		for want := fmt.Sprintf(`["1","%d","room:1","phx_reply",{"status":"ok","response":{}}]`, i); ; {
			if got := good.message(); sameJSON(t, got, want) {
				break
			} // else it is somebody's shout
		}
		select {
		case <-done:
			return
		default:
		}
	}
}

// errLate is of a client that the server has ended before its reply: on a busy machine
// it may not come to its handshake within HandshakeTimeout. It tries again.
var errLate = errors.New("no join reply")

// A misdeed is the fault of a broken client on a new connection. An error is the server's
// fault: it does not end what it has to end.
type misdeed struct {
	name string
	do   func(*net.TCPConn) error
}

func (m misdeed) once(addr string, dials chan struct{}, end time.Time) error {
	dials <- struct{}{}
	conn, err := net.DialTimeout("tcp", addr, patience)
	<-dials
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(end)
	return m.do(conn.(*net.TCPConn))
}

var misdeeds = []misdeed{
	{"nothing", untilClosed},
	{"half a handshake", sends(string(request("/socket/websocket")[:50]), untilClosed)},
	{"half a handshake, then RST", sends(string(request("/socket/websocket")[:50]), reset)},
	{"an endless head", sends("GET /socket/websocket HTTP/1.1\r\nX: "+string(make([]byte, 20<<10)), untilClosed)},
	{"garbage for a handshake", sends("\x16\x03\x01\x02\x00\x01\x00\r\n\r\n", untilClosed)},
	{"garbage for frames", sends(opening+"garbage, of which the first byte is a wrong opcode", untilClosed)},
	{"an unmasked frame", sends(opening+"\x81\x02{}", untilClosed)},
	{"no JSON", sends(opening+string(masked(ws.OpText, "{")), untilClosed)},
	{"a message too large", sends(opening+"\x81\xff\x7f\xff\xff\xff\xff\xff\xff\xffmask", untilClosed)},
	{"half a frame, then FIN", sends(opening+string(masked(ws.OpText, joinShout)[:20]), hangUp)},
	{"no answer awaited", sends(opening+string(masked(ws.OpText, joinShout)), hangUp)},
	{"no answer awaited, then RST", sends(opening+string(masked(ws.OpText, joinShout)), reset)},
	{"no Close frame", joins(hangUp)},
	{"RST", joins(reset)},
	{"a crash", joins(sends(string(masked(ws.OpText, `["1","2","room:1","crash",{}]`)), hangUp))},
	{"half a message of many", joins(sends("\x01\x82\x00\x00\x00\x00[1", hangUp))},
	{"a Close frame of one byte", joins(sends(string(masked(ws.OpClose, "x")), untilClosed))},
}

const (
	opening   = "GET /socket/websocket?vsn=2.0.0 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
	joinShout = `["1","1","room:1","phx_join",{}]`
)

// sends sends text before it does the rest. The server may be faster in hanging
// up.
func sends(text string, rest func(*net.TCPConn) error) func(*net.TCPConn) error {
	return func(c *net.TCPConn) error {
		_, _ = io.WriteString(c, text)
		return rest(c)
	}
}

// joins joins room:1, waits for the reply, and does the rest.
func joins(rest func(*net.TCPConn) error) func(*net.TCPConn) error {
	return sends(opening+string(masked(ws.OpText, joinShout)), func(c *net.TCPConn) error {
		switch _, err := io.ReadFull(c, make([]byte, 180)); { // a part of the reply, at least
		case errors.Is(err, os.ErrDeadlineExceeded):
			return fmt.Errorf("join: %w", err)
		case err != nil:
			return fmt.Errorf("%w: %w", errLate, err)
		}
		return rest(c)
	})
}

// untilClosed waits for the server to end the connection.
func untilClosed(c *net.TCPConn) error {
	_, err := io.Copy(io.Discard, c)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return errors.New("the server left the connection open")
	}
	return nil
}

func hangUp(*net.TCPConn) error  { return nil } // the caller does
func reset(c *net.TCPConn) error { return c.SetLinger(0) }
