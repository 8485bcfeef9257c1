package poller_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// Content types and handshake messages of TLS 1.3 (RFC 8446 §5.1, §4).
const (
	alertType     = 21
	handshakeType = 22
	dataType      = 23
	keyUpdate     = 24
)

// A half is one direction of a connection with TLS 1.3 and AES-128-GCM, by hand:
// crypto/tls sends no key updates of its own accord, nor odd records.
type half struct {
	secret []byte
	aead   cipher.AEAD
	iv     []byte
	seq    uint64
}

// expand is HKDF-Expand-Label (RFC 8446 §7.1) with an empty context.
func expand(secret []byte, label string, n int) []byte {
	label = "tls13 " + label
	info := append(binary.BigEndian.AppendUint16(nil, uint16(n)), byte(len(label)))
	b, err := hkdf.Expand(sha256.New, secret, string(info)+label+"\x00", n)
	if err != nil {
		panic(err)
	}
	return b
}

func (h *half) use(secret []byte) {
	block, err := aes.NewCipher(expand(secret, "key", 16))
	if err != nil {
		panic(err)
	}
	h.secret, h.iv, h.seq = secret, expand(secret, "iv", 12), 0
	if h.aead, err = cipher.NewGCM(block); err != nil {
		panic(err)
	}
}

// update goes on to the next secret (RFC 8446 §7.2).
func (h *half) update() { h.use(expand(h.secret, "traffic upd", 32)) }

func (h *half) nonce() []byte {
	n := bytes.Clone(h.iv)
	for i, b := range binary.BigEndian.AppendUint64(nil, h.seq) {
		n[4+i] ^= b
	}
	h.seq++
	return n
}

func (h *half) record(kind byte, content []byte) []byte {
	plain := append(bytes.Clone(content), kind)
	head := binary.BigEndian.AppendUint16([]byte{dataType, 3, 3}, uint16(len(plain)+h.aead.Overhead()))
	return h.aead.Seal(head, h.nonce(), plain, head)
}

// A bareClient has shaken hands by crypto/tls, and goes on by hand.
type bareClient struct {
	t       testing.TB
	conn    net.Conn
	out, in half
	updates int // that the server has sent
}

func dialBare(t testing.TB, addr string) *bareClient {
	t.Helper()
	var keys bytes.Buffer
	c := &bareClient{t: t, conn: dial(t, addr)}
	// Without a buffer of its own, crypto/tls may have read beyond the handshake.
	over := tls.Client(&recordwise{Conn: c.conn}, &tls.Config{InsecureSkipVerify: true, KeyLogWriter: &keys})
	if err := over.Handshake(); err != nil {
		t.Fatal(err)
	}
	if got := over.ConnectionState().CipherSuite; got != tls.TLS_AES_128_GCM_SHA256 {
		t.Fatalf("agreed on %s", tls.CipherSuiteName(got))
	}
	for line := range strings.Lines(keys.String()) {
		var label, random, secret string
		fmt.Sscan(line, &label, &random, &secret)
		b, _ := hex.DecodeString(secret)
		switch label {
		case "CLIENT_TRAFFIC_SECRET_0":
			c.out.use(b)
		case "SERVER_TRAFFIC_SECRET_0":
			c.in.use(b)
		}
	}
	return c
}

// recordwise reads no more than one record at a time.
type recordwise struct {
	net.Conn
	left []byte // of the record
}

func (r *recordwise) Read(b []byte) (int, error) {
	if len(r.left) == 0 {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r.Conn, head); err != nil {
			return 0, err
		}
		r.left = append(head, make([]byte, binary.BigEndian.Uint16(head[3:]))...)
		if _, err := io.ReadFull(r.Conn, r.left[5:]); err != nil {
			return 0, err
		}
	}
	n := copy(b, r.left)
	r.left = r.left[n:]
	return n, nil
}

// read is the next record that is no handshake message.
func (c *bareClient) read() (kind byte, content []byte) {
	c.t.Helper()
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(c.conn, head); err != nil {
			c.t.Fatalf("read a record: %v", err)
		}
		b := make([]byte, binary.BigEndian.Uint16(head[3:]))
		if _, err := io.ReadFull(c.conn, b); err != nil {
			c.t.Fatal(err)
		}
		plain, err := c.in.aead.Open(nil, c.in.nonce(), b, head)
		if err != nil {
			c.t.Fatal(err)
		}
		kind, content = plain[len(plain)-1], plain[:len(plain)-1]
		if kind != handshakeType {
			return kind, content
		}
		if content[0] == keyUpdate {
			c.updates++
			c.in.update()
		}
	}
}

// echoed checks that a text comes back.
func (c *bareClient) echoed(text string) {
	c.t.Helper()
	c.conn.Write(c.out.record(dataType, []byte(text)))
	for got := ""; got != text; {
		kind, content := c.read()
		if got += string(content); kind != dataType || !strings.HasPrefix(text, got) {
			c.t.Fatalf("got %q of type %d, want %q", got, kind, text)
		}
	}
}

// A client may change its keys in the middle, and ask the server to; in one segment
// with data before and behind, and with the message cut into two records.
func TestTLSKeyUpdate(t *testing.T) {
	s := secureEcho(t)
	c := dialBare(t, s.addr)
	c.echoed("before")
	for _, asks := range []byte{0, 1} {
		message := []byte{keyUpdate, 0, 0, 1, asks}
		all := c.out.record(dataType, []byte("a"))
		all = append(all, c.out.record(handshakeType, message[:2])...)
		all = append(all, c.out.record(handshakeType, message[2:])...)
		c.out.update()
		all = append(all, c.out.record(dataType, []byte("b"))...)
		c.conn.Write(all)
		for got := ""; got != "ab"; {
			_, content := c.read()
			got += string(content)
		}
		c.echoed("behind")
	}
	if c.updates != 1 {
		t.Errorf("the server has updated its keys %d times, want once", c.updates)
	}
}

// What the server answers of its own accord stays before what is not sealed yet.
func TestTLSKeyUpdateWhileMuchWaits(t *testing.T) {
	s := secureEcho(t)
	c := dialBare(t, s.addr)
	c.echoed("x")
	sent := noise(4 << 20)
	conn := within(t, s.conns)
	conn.SendShared(sent)
	for range 3 {
		c.conn.Write(c.out.record(handshakeType, []byte{keyUpdate, 0, 0, 1, 1}))
		c.out.update()
		c.conn.Write(c.out.record(dataType, []byte("y")))
	}
	var got []byte
	for len(got) < len(sent)+3 {
		_, content := c.read()
		got = append(got, content...)
	}
	if string(got) != string(sent)+"yyy" {
		t.Error("it came otherwise")
	}
	if c.updates != 3 {
		t.Errorf("the server has updated its keys %d times, want 3", c.updates)
	}
}

// A client that asks for key updates and does not read the answers makes no long queue,
// through which every further answer would have to look.
func TestTLSKeyUpdatesThatNobodyReads(t *testing.T) {
	got := make(chan int, 1000)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{data: func(_ *poller.Conn, b []byte) { got <- len(b) }})
	c := dialBare(t, s.addr)
	conn, sent := within(t, s.conns), noise(4<<20)
	c.conn.Write(c.out.record(dataType, []byte("x")))
	within(t, got)
	conn.SendShared(sent)
	const updates = 1000
	for range updates {
		c.conn.Write(c.out.record(handshakeType, []byte{keyUpdate, 0, 0, 1, 1}))
		c.out.update()
		c.conn.Write(c.out.record(dataType, []byte("x")))
		within(t, got)
	}
	if n := conn.Entries(); n > 20 {
		t.Errorf("%d answers wait as %d parts, want a few", updates, n)
	}
	var all []byte
	for len(all) < len(sent) {
		_, content := c.read()
		all = append(all, content...)
	}
	if !bytes.Equal(all, sent) || c.updates != updates {
		t.Errorf("%d bytes came, right: %t, and %d key updates, want %d", len(all), bytes.Equal(all, sent), c.updates, updates)
	}
}

// Records that advance nothing are bounded, whatever they are.
func TestTLSUselessRecords(t *testing.T) {
	s := secureEcho(t)
	for name, send := range map[string]func(c *bareClient) []byte{
		"empty":    func(c *bareClient) []byte { return c.out.record(dataType, nil) },
		"warnings": func(c *bareClient) []byte { return c.out.record(alertType, []byte{1, 90}) }, // user_canceled
		"key updates": func(c *bareClient) []byte {
			b := c.out.record(handshakeType, []byte{keyUpdate, 0, 0, 1, 0})
			c.out.update()
			return b
		},
		"cipher specs": func(*bareClient) []byte { return []byte{20, 3, 3, 0, 1, 1} },
	} {
		c := dialBare(t, s.addr)
		for range 100 {
			c.conn.Write(send(c))
		}
		if kind, content := c.read(); kind != alertType {
			t.Errorf("%s: got a record of type %d, %q, want an alert", name, kind, content)
		}
		c.conn.Close()
	}
	eventually(t, "all are closed", func() bool { return s.poller.Conns() == 0 })
}

// A record that never comes to its end keeps no connection alive.
func TestTLSEndlessRecord(t *testing.T) {
	expired := make(chan struct{})
	end := sync.OnceFunc(func() { close(expired) })
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{
		data:    func(c *poller.Conn, b []byte) { c.SetIdle(200 * time.Millisecond) },
		timeout: func(*poller.Conn) { end() },
	})
	c := dialBare(t, s.addr)
	c.conn.Write(c.out.record(dataType, []byte("x")))
	c.conn.Write([]byte{dataType, 3, 3, 0x3f, 0xff})
	pace := time.NewTicker(10 * time.Millisecond)
	defer pace.Stop()
	for {
		select {
		case <-expired:
			return
		case <-pace.C:
			if _, err := c.conn.Write([]byte{0}); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// The last that a client gets is close_notify, also where more waits than leaves at
// once.
func TestTLSSaysGoodbye(t *testing.T) {
	sent := noise(2 << 20)
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, hooks{data: func(c *poller.Conn, b []byte) {
		if string(b) == "much" {
			c.Send(sent)
		}
		c.Finish([]byte("end"))
	}})
	for text, size := range map[string]int{"little": 3, "much": len(sent) + 3} {
		c := dialBare(t, s.addr)
		c.conn.Write(c.out.record(dataType, []byte(text)))
		kind, content := c.read()
		for n := 0; kind == dataType; kind, content = c.read() {
			if n += len(content); n > size {
				t.Fatalf("%s: got %d bytes, want %d", text, n, size)
			}
		}
		if kind != alertType || !bytes.Equal(content, []byte{1, 0}) {
			t.Errorf("%s: the last record is %v of type %d, want close_notify", text, content, kind)
		}
		if _, err := c.conn.Read(make([]byte, 1)); err != io.EOF {
			t.Errorf("%s: then %v, want EOF", text, err)
		}
	}
}

// A client whose records cost far more than their bytes does not hold up others for long:
// they are opened in several passes. All are handled, also when it has hung up.
func TestTLSExpensiveRecords(t *testing.T) {
	got, closed := make(chan int, 1000), make(chan error, 1)
	s := listenTLS(t, poller.Config{Loops: 1}, poller.PoolConfig{Places: 2}, hooks{
		data: func(c *poller.Conn, b []byte) {
			if b[0] == 'p' {
				c.Pause()
			}
			got <- len(b)
		},
		closed: func(_ *poller.Conn, err error) { closed <- err },
	})
	c := dialBare(t, s.addr)
	conn := within(t, s.conns)
	const turns = 90
	for range 3 {
		c.conn.Write(c.out.record(dataType, []byte("p")))
		within(t, got)
		var all []byte
		for range turns {
			for range 15 {
				all = append(all, c.out.record(handshakeType, []byte{keyUpdate, 0, 0, 1, 0})...)
				c.out.update()
			}
			all = append(all, c.out.record(dataType, []byte("x"))...)
		}
		if _, err := c.conn.Write(all); err != nil { // less than the kernel holds
			t.Fatal(err)
		}
		conn.Post(conn.Resume)
		passes := 0
		for n := 0; n < turns; passes++ {
			n += within(t, got)
		}
		if passes == 1 {
			t.Errorf("%d key updates were handled in one pass", 15*turns)
		}
	}
	c.conn.(*net.TCPConn).CloseWrite()
	if err := within(t, closed); err != nil {
		t.Errorf("closed with %v", err)
	}
}
