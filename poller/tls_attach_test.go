package poller_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"testing"

	"github.com/roost-rt/roost/poller"
)

// A connection with TLS can be detached and attached again: nothing of what comes
// meanwhile is lost, wherever the records are cut.
func TestTLSDetachAttach(t *testing.T) {
	h := &hander{after: 1, detached: make(chan net.Conn, 1)}
	s := listenTLS(t, poller.Config{}, poller.PoolConfig{Places: 2}, h)
	c := dialTLS(t, s.addr, trusting, func(nc net.Conn) net.Conn { return splitter{nc.(*net.TCPConn), halves} })
	c.Write([]byte("x"))
	server := within(t, h.detached)
	sent, written := noise(200_000), make(chan error, 1)
	go func() { // ends when all is read, or by the connection's deadline
		_, err := c.Write(sent)
		written <- err
	}()
	got := make([]byte, 70_000) // in the middle of a record
	if _, err := io.ReadFull(server, got); err != nil {
		t.Fatal(err)
	}
	files := descriptors(t)
	err := s.poller.Attach(server, func(*poller.Conn) poller.Handler { return hooksEcho })
	if err != nil {
		t.Fatal(err)
	}
	rest := make([]byte, len(sent)-len(got))
	if _, err := io.ReadFull(c, rest); err != nil || !bytes.Equal(append(got, rest...), sent) {
		t.Fatalf("it came otherwise: %v", err)
	}
	if err := within(t, written); err != nil {
		t.Fatal(err)
	}
	exchange(t, c, noise(100_000))
	if n := descriptors(t); n != files {
		t.Errorf("%d descriptors more", n-files)
	}
}

func halves(b []byte) [][]byte { return [][]byte{b[:len(b)/2], b[len(b)/2:]} }

// A tls.Conn that was made elsewhere, such as by net/http, can be attached, too,
// whatever crypto/tls has read ahead.
func TestAttachAnyTLS(t *testing.T) {
	p := start(t, poller.Config{})
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	sent := noise(100_000)
	for _, n := range []int{0, 1, 1000, 20_000, 99_999} {
		accepted := make(chan net.Conn, 1)
		go func() { // ends with the exchange
			nc, err := ln.Accept()
			if err == nil {
				err = nc.(*tls.Conn).Handshake()
			}
			if err == nil {
				_, err = io.ReadFull(nc, make([]byte, n))
			}
			if err == nil {
				accepted <- nc
			}
		}()
		c := dialTLS(t, ln.Addr().String(), trusting, nil)
		go c.Write(sent) // ends when all is read, or by the connection's deadline
		server, files := within(t, accepted), descriptors(t)
		if err := p.Attach(server, func(*poller.Conn) poller.Handler { return hooksEcho }); err != nil {
			t.Fatal(err)
		}
		got := make([]byte, len(sent)-n)
		if _, err := io.ReadFull(c, got); err != nil || !bytes.Equal(got, sent[n:]) {
			t.Fatalf("after %d bytes it came otherwise: %v", n, err)
		}
		exchange(t, c, noise(50_000))
		if n := descriptors(t); n != files {
			t.Errorf("%d descriptors more", n-files)
		}
		c.Close()
		eventually(t, "it is closed", func() bool { return p.Conns() == 0 })
	}
}

// What crypto/tls had read ahead of Attach comes to the handler also when the peer
// has hung up by then.
func TestAttachTLSAfterTheEnd(t *testing.T) {
	t.Parallel()
	p := start(t, poller.Config{})
	ln, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{certificate()}})
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	accepted := make(chan net.Conn, 1)
	go func() { // ends with the listener
		for {
			nc, err := ln.Accept()
			if err != nil {
				return
			}
			io.ReadFull(nc, make([]byte, 1)) // shakes hands; a failure shows below
			accepted <- nc
		}
	}()
	_, busy := pair(t, p, hooksEcho) // so that the loop looks at its connections in every pass
	go io.Copy(busy, busy)           // ends with the test
	busy.Write(noise(60_000))
	for range 200 {
		sent := noise(1000)
		c := dialTLS(t, ln.Addr().String(), trusting, nil)
		c.Write(sent)
		server := within(t, accepted)
		c.NetConn().(*net.TCPConn).CloseWrite()
		var got []byte
		done := make(chan error, 1)
		err := p.Attach(server, func(*poller.Conn) poller.Handler {
			return hooks{data: func(_ *poller.Conn, b []byte) { got = append(got, b...) }, closed: func(_ *poller.Conn, err error) { done <- err }}
		})
		if err != nil {
			t.Fatal(err)
		}
		within(t, done)
		if !bytes.Equal(got, sent[1:]) {
			t.Fatalf("%d bytes came, want %d", len(got), len(sent)-1)
		}
		c.Close()
	}
}
