package poller_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// certificate is one for 127.0.0.1.
var certificate = sync.OnceValue(func() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		panic(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
})

// A secure server shakes hands, then has h.
type secureServer struct {
	poller *poller.Poller
	pool   *poller.Pool
	addr   string
	conns  chan *poller.Conn
}

func listenTLS(t testing.TB, cfg poller.Config, places poller.PoolConfig, h poller.Handler) *secureServer {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	pool, err := poller.NewPool(places)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(30 * time.Second); err != nil {
			t.Error(err)
		}
	})
	s := &secureServer{poller: start(t, cfg), pool: pool, conns: make(chan *poller.Conn, 10_000)}
	config := &tls.Config{Certificates: []tls.Certificate{certificate()}}
	s.addr = listen(t, s.poller, func(c *poller.Conn) poller.Handler {
		c.SetDeadline(30 * time.Second)
		s.conns <- c
		return c.Secure(config, pool, nil, h)
	})
	return s
}

// secureEcho is a server that sends back what it gets.
func secureEcho(t testing.TB) *secureServer {
	return listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2, MaxWorkers: 100}, hooksEcho)
}

var trusting = &tls.Config{InsecureSkipVerify: true}

// dialTLS connects a client whose bytes go through via, unless it is nil.
func dialTLS(t testing.TB, addr string, cfg *tls.Config, via func(net.Conn) net.Conn) *tls.Conn {
	t.Helper()
	var nc net.Conn = dial(t, addr)
	if via != nil {
		nc = via(nc)
	}
	c := tls.Client(nc, cfg)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// exchange checks that what is sent comes back.
func exchange(t testing.TB, c net.Conn, sent []byte) {
	t.Helper()
	written := make(chan error, 1)
	go func() { // ends when all is read, or by the connection's deadline
		_, err := c.Write(sent)
		written <- err
	}()
	got := make([]byte, len(sent))
	if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back otherwise: %v", len(sent), err)
	}
	if err := within(t, written); err != nil {
		t.Fatal(err)
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.Read(b)
	return b
}

// Whatever the version and the cipher, what is sent comes back: little, more than a
// record, more than the kernel takes at once.
func TestTLSVersions(t *testing.T) {
	s := secureEcho(t)
	for _, cfg := range []*tls.Config{
		{},
		{MaxVersion: tls.VersionTLS12},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256}},
		{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}},
		{CurvePreferences: []tls.CurveID{tls.CurveP256}},
		{DynamicRecordSizingDisabled: true},
	} {
		cfg.InsecureSkipVerify = true
		c := dialTLS(t, s.addr, cfg, nil)
		for _, n := range []int{1, 100, 16 << 10, 16<<10 + 1, 1 << 20, 4 << 20} {
			exchange(t, c, noise(n))
		}
		c.Close()
	}
}

// A splitter sends what is written in parts, each with a moment for the other side to
// read it.
type splitter struct {
	*net.TCPConn
	cut func(b []byte) (parts [][]byte)
}

func (s splitter) Write(b []byte) (int, error) {
	for _, part := range s.cut(b) {
		if _, err := s.TCPConn.Write(part); err != nil {
			return 0, err
		}
		runtime.Gosched()
	}
	return len(b), nil
}

func bytewise(b []byte) (parts [][]byte) {
	for i := range b {
		parts = append(parts, b[i:i+1])
	}
	return parts
}

// Records may come byte by byte, the handshake's, too.
func TestTLSBytewise(t *testing.T) {
	s := secureEcho(t)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		c := dialTLS(t, s.addr, &tls.Config{InsecureSkipVerify: true, MaxVersion: version},
			func(nc net.Conn) net.Conn { return splitter{nc.(*net.TCPConn), bytewise} })
		exchange(t, c, noise(700))
		exchange(t, c, noise(1))
	}
}

// A collector keeps what is written until flush.
type collector struct {
	*net.TCPConn
	on   bool
	kept []byte
}

func (c *collector) Write(b []byte) (int, error) {
	if !c.on {
		return c.TCPConn.Write(b)
	}
	c.kept = append(c.kept, b...)
	return len(b), nil
}

// Records may be cut anywhere between two segments, and there may be many in one.
func TestTLSSplitAnywhere(t *testing.T) {
	got := make(chan []byte, 100)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{data: func(c *poller.Conn, b []byte) { got <- bytes.Clone(b) }})
	var nc *collector
	c := dialTLS(t, s.addr, trusting, func(under net.Conn) net.Conn {
		nc = &collector{TCPConn: under.(*net.TCPConn)}
		return nc
	})
	records := func() []byte {
		nc.on, nc.kept = true, nil
		for _, text := range []string{"one", "two", "three"} {
			if _, err := c.Write([]byte(text)); err != nil {
				t.Fatal(err)
			}
		}
		return nc.kept
	}
	for cut := 0; ; cut++ {
		b := records()
		if cut > len(b) {
			break
		}
		nc.TCPConn.Write(b[:cut])
		var all []byte
		if whole := recordsIn(b[:cut]); whole > 0 { // wait until it has been read
			for len(all) < len("onetwothree"[:[]int{0, 3, 6, 11}[whole]]) {
				all = append(all, within(t, got)...)
			}
		}
		nc.TCPConn.Write(b[cut:])
		for len(all) < 11 {
			all = append(all, within(t, got)...)
		}
		if string(all) != "onetwothree" {
			t.Fatalf("cut at %d: got %q", cut, all)
		}
	}
}

// recordsIn is how many records b begins with.
func recordsIn(b []byte) (n int) {
	for len(b) >= 5 {
		size := 5 + int(binary.BigEndian.Uint16(b[3:]))
		if size > len(b) {
			break
		}
		b = b[size:]
		n++
	}
	return n
}

// Many records of one segment are one pass: the handler gets them together.
func TestTLSManyRecords(t *testing.T) {
	got := make(chan int, 100)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{data: func(c *poller.Conn, b []byte) { got <- len(b) }})
	var nc *collector
	c := dialTLS(t, s.addr, trusting, func(under net.Conn) net.Conn {
		nc = &collector{TCPConn: under.(*net.TCPConn)}
		return nc
	})
	nc.on = true
	for tries := 0; ; tries++ { // on a busy host a pass may be over before all are opened
		nc.kept = nil
		for range 100 {
			c.Write([]byte("x"))
		}
		nc.TCPConn.Write(nc.kept)
		first := within(t, got)
		for n := first; n < 100; {
			n += within(t, got)
		}
		if first == 100 {
			return
		}
		if tries == 20 {
			t.Fatalf("the handler got %d bytes first, want all 100", first)
		}
	}
}

// After close_notify the connection is closed like one after FIN, although the
// client's side is still open. What came before is handled, and answered with
// close_notify.
func TestTLSCloseNotify(t *testing.T) {
	closed := make(chan error, 1)
	got := make(chan string, 10)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{
		data:   func(c *poller.Conn, b []byte) { got <- string(b) },
		closed: func(_ *poller.Conn, err error) { closed <- err },
	})
	c := dialTLS(t, s.addr, trusting, nil)
	c.Write([]byte("last"))
	c.CloseWrite()
	if text := within(t, got); text != "last" {
		t.Errorf("got %q", text)
	}
	if err := within(t, closed); err != nil {
		t.Errorf("Closed got %v, want nil", err)
	}
	if n, err := c.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("read %d, %v, want EOF by close_notify", n, err)
	}
}

// Finish sends what waits, however much, then close_notify, then FIN.
func TestTLSFinish(t *testing.T) {
	sent := noise(3 << 20)
	s := listenTLS(t, poller.Config{OutboundMax: 64 << 20}, poller.PoolConfig{Places: 2}, hooks{data: func(c *poller.Conn, _ []byte) {
		c.Send(sent)
		c.SendShared(sent)
		c.Finish([]byte("end"))
	}})
	c := dialTLS(t, s.addr, trusting, nil)
	c.Write([]byte("go"))
	all, err := io.ReadAll(c) // an end without close_notify would be io.ErrUnexpectedEOF or a reset
	if want := string(sent) + string(sent) + "end"; err != nil || string(all) != want {
		t.Fatalf("got %d bytes, %v, want %d", len(all), err, len(want))
	}
}

// A record that was changed on its way ends the connection, with an alert for the
// peer and the error for the handler.
func TestTLSBrokenRecord(t *testing.T) {
	closed := make(chan error, 1)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{closed: func(_ *poller.Conn, err error) { closed <- err }})
	var nc *collector
	c := dialTLS(t, s.addr, trusting, func(under net.Conn) net.Conn {
		nc = &collector{TCPConn: under.(*net.TCPConn)}
		return nc
	})
	nc.on = true
	c.Write([]byte("text"))
	nc.kept[len(nc.kept)-1] ^= 1
	nc.TCPConn.Write(nc.kept)
	_, err := c.Read(make([]byte, 1))
	var alert *net.OpError
	if !errors.As(err, &alert) || !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("the client got %v, want the alert", err)
	}
	c.NetConn().Close()
	if err := within(t, closed); err == nil || !strings.Contains(err.Error(), "bad record MAC") {
		t.Errorf("Closed got %v", err)
	}
}

// plainHooks have a word for who speaks no TLS.
type plainHooks struct{ *hooks }

func (plainHooks) Plain(first []byte) []byte { return fmt.Appendf(nil, "no TLS: %s", first) }

// Bytes that are no TLS are refused at once, not when as many have come as their header
// seems to say, with the handler's word if it has one. Broken TLS gets its alert.
func TestNoTLS(t *testing.T) {
	word := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2, MaxWorkers: 100}, plainHooks{hooksEcho})
	for _, tt := range []struct {
		name       string
		s          *secureServer
		sent, want string
	}{
		{"no word", secureEcho(t), "GET / HTTP/1.1\r\n\r\n", ""},
		{"a word", word, "GET / HTTP/1.1\r\n\r\n", "no TLS: GET /"},
		{"TLS that is broken", word, "\x16\x03\x01\x00\x05GET /", "\x15"},
	} {
		nc := dial(t, tt.s.addr)
		nc.Write([]byte(tt.sent))
		if got, err := io.ReadAll(nc); err != nil || !strings.HasPrefix(string(got), tt.want) || tt.want == "" && len(got) > 0 {
			t.Errorf("%s: read %q and %v, want %q and an end", tt.name, got, err, tt.want)
		}
	}
}

// Clients that stall in the middle of their handshake hold no places: others go on.
// They take no goroutine before their ClientHello is there. The deadline ends them.
func TestTLSStalledHandshakes(t *testing.T) {
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 1, MaxWorkers: 100, Long: time.Hour}, hooksEcho)
	before := runtime.NumGoroutine()
	for range 50 { // half a ClientHello
		dial(t, s.addr).Write([]byte{22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3})
	}
	eventually(t, "50 connections", func() bool { return s.poller.Conns() == 50 })
	if n := runtime.NumGoroutine(); n > before+10 {
		t.Errorf("50 clients without a ClientHello took %d goroutines", n-before)
	}
	for range 50 { // no answer to the server's flight
		c := tls.Client(deaf{dial(t, s.addr)}, trusting)
		go c.Handshake() // ends by the connection's deadline
	}
	eventually(t, "50 handshakes wait", func() bool { return s.pool.Stats().Long == 50 })
	exchange(t, dialTLS(t, s.addr, trusting, nil), noise(100))
}

// Clients that stall keep nobody out, however many they are: when all goroutines have
// one, those that have stalled for longest make room, and no others.
func TestTLSStalledHandshakesMakeRoom(t *testing.T) {
	t.Parallel()
	const most, stalled = 10, 15
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 1, MaxWorkers: most}, hooksEcho)
	for range stalled {
		c := tls.Client(deaf{dial(t, s.addr)}, trusting)
		go c.Handshake() // ends by the connection's deadline
	}
	for range stalled {
		within(t, s.conns)
	}
	eventually(t, "as many as there is room for", func() bool { return s.pool.Queued() == 0 && s.poller.Conns() <= most })
	exchange(t, dialTLS(t, s.addr, trusting, nil), noise(100))
	if n := s.poller.Conns(); n < most/2 {
		t.Errorf("%d connections are left, want about %d: those that have made room for others, and no more", n, most)
	}
}

// deaf never hears an answer.
type deaf struct{ *net.TCPConn }

func (d deaf) Read(b []byte) (int, error) {
	_, err := io.Copy(io.Discard, d.TCPConn)
	return 0, err
}

// A client gets what it is sent by many, in the order of each, while it sends itself.
func TestTLSConcurrentSends(t *testing.T) {
	s := secureEcho(t)
	c := dialTLS(t, s.addr, trusting, nil)
	conn := within(t, s.conns)
	exchange(t, c, noise(10)) // the handshake is done on both sides
	const senders, each = 8, 300
	for i := range senders {
		go func() { // ends when the poller is closed at the latest
			for j := range each {
				b := bytes.Repeat([]byte{byte(i)}, 1000)
				binary.BigEndian.PutUint32(b[1:], uint32(j))
				if conn.SendShared(b) != nil {
					return
				}
			}
		}()
	}
	next := make([]uint32, senders)
	b := make([]byte, 1000)
	for range senders * each {
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint32(b[1:]); got != next[b[0]] {
			t.Fatalf("sender %d: got %d, want %d", b[0], got, next[b[0]])
		}
		next[b[0]]++
	}
}

// Pause, Unread and Hold mean the same as without TLS: nothing is lost, and nothing
// comes sooner.
func TestTLSFlow(t *testing.T) {
	var got []byte
	done := make(chan []byte, 1)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{data: func(c *poller.Conn, b []byte) {
		n := min(len(b), 1000)
		got = append(got, b[:n]...)
		c.Unread(b[n:])
		if len(got)%5000 == 0 {
			c.Pause()
			c.Post(c.Resume)
		}
		if len(got) == 1<<20 {
			done <- got
		}
	}})
	c := dialTLS(t, s.addr, trusting, nil)
	sent := noise(1 << 20)
	go c.Write(sent) // ends by the connection's deadline
	if !bytes.Equal(within(t, done), sent) {
		t.Error("it came otherwise")
	}
}

// A slow consumer with TLS ends like one without. Bytes that wait for it are not sealed,
// so a broadcast to many of them counts once.
func TestTLSSlowConsumers(t *testing.T) {
	closed := make(chan error, 3)
	s := listenTLS(t, poller.Config{WriteTimeout: time.Second, Linger: 100 * time.Millisecond}, poller.PoolConfig{Places: 2}, hooks{
		data:   func(c *poller.Conn, b []byte) { c.Send(b) },
		closed: func(_ *poller.Conn, err error) { closed <- err },
	})
	shared := noise(8 << 20)
	for range 3 {
		c := dialTLS(t, s.addr, trusting, nil)
		exchange(t, c, noise(10))
		within(t, s.conns).SendShared(shared)
	}
	if bytes, _ := s.poller.Backlog(); bytes < 8<<20 || bytes > 9<<20 {
		t.Errorf("%d bytes wait for three clients, want a little more than 8 MiB", bytes)
	}
	for range 3 {
		if err := within(t, closed); !errors.Is(err, poller.ErrSlowConsumer) {
			t.Errorf("closed with %v, want a slow consumer", err)
		}
	}
	if bytes, _ := s.poller.Backlog(); bytes != 0 {
		t.Errorf("%d bytes are left in the backlog", bytes)
	}
}

// Connections with TLS take one descriptor each, and no goroutine.
func TestTLSCosts(t *testing.T) {
	const n = 200
	s := secureEcho(t)
	exchange(t, dialTLS(t, s.addr, trusting, nil), noise(10))
	files, goroutines := descriptors(t), runtime.NumGoroutine()
	for range n {
		exchange(t, dialTLS(t, s.addr, trusting, nil), noise(10))
	}
	eventually(t, "few goroutines", func() bool { return runtime.NumGoroutine() < goroutines+20 })
	if took := descriptors(t) - files; took != 2*n { // one is the client's
		t.Errorf("%d connections take %d descriptors on both sides, want %d", n, took, 2*n)
	}
}

// This version of Go has the fields of tls.Conn where they are looked for.
func TestTLSFields(t *testing.T) {
	if !poller.TLSFieldsKnown() {
		t.Error("tls.Conn has other fields: idle connections keep 5 KB more, and Attach takes no tls.Conn of net/http's")
	}
}
