package poller_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/roost-rt/roost/poller"
)

// echoes sends back what it gets.
type echoes struct{}

func (echoes) Data(c *poller.Conn, b []byte)       { _ = c.Send(b) }
func (echoes) Timeout(c *poller.Conn)              {}
func (echoes) Closed(c *poller.Conn, reason error) {}

// A connection without a network, and one that was given to package net and came
// back, are like others.
func TestPipeAndAttach(t *testing.T) {
	p, err := poller.New(poller.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	open := func(*poller.Conn) poller.Handler { return echoes{} }

	pipe, err := p.Pipe(open)
	if err != nil {
		t.Fatal(err)
	}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	client, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Attach(server, open); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]net.Conn{"pipe": pipe, "attached": client} {
		got := make([]byte, 5)
		if _, err := c.Write([]byte("hello")); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if _, err := io.ReadFull(c, got); err != nil || string(got) != "hello" {
			t.Errorf("%s: got %q, %v, want hello", name, got, err)
		}
		c.Close()
	}
}

// A connection that has no descriptor is carried to the loop: both ends may close
// it, and Close ends it.
func TestAttachCarries(t *testing.T) {
	p := start(t, poller.Config{})
	reasons := make(chan error, 3)
	attach := func() net.Conn {
		near, far := net.Pipe()
		err := p.Attach(near, func(*poller.Conn) poller.Handler {
			return hooks{
				data: func(c *poller.Conn, b []byte) {
					if c.Send(b); string(b) == "bye" {
						c.Finish(nil)
					}
				},
				closed: func(_ *poller.Conn, reason error) { reasons <- reason },
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		far.SetDeadline(time.Now().Add(30 * time.Second))
		return far
	}
	ours, theirs, idle := attach(), attach(), attach()
	large := bytes.Repeat([]byte("x"), 1<<20) // more than both ends hold
	go ours.Write(large)
	expect(t, ours, large)
	ours.Close()
	if err := <-reasons; err != nil {
		t.Errorf("closed by the peer: reason %v, want nil", err)
	}
	theirs.Write([]byte("bye"))
	expect(t, theirs, []byte("bye"))
	wantEOF(t, theirs)
	<-reasons
	p.Close()
	wantEOF(t, idle)
	if err := <-reasons; err != poller.ErrStopped {
		t.Errorf("closed by Close: reason %v, want ErrStopped", err)
	}
	near, far := net.Pipe()
	if err := p.Attach(near, nil); !errors.Is(err, poller.ErrStopped) {
		t.Errorf("after Close: %v, want ErrStopped", err)
	}
	wantEOF(t, far)
}

func wantEOF(t *testing.T, nc net.Conn) {
	t.Helper()
	if _, err := nc.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other end reads %v, want EOF", err)
	}
}
