package poller_test

import (
	"io"
	"net"
	"testing"

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

// What a Poller cannot watch is refused, and closed.
func TestAttachRefuses(t *testing.T) {
	p, err := poller.New(poller.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	a, b := net.Pipe()
	if err := p.Attach(a, nil); err == nil {
		t.Error("Attach took a net.Pipe, which has no descriptor")
	}
	if _, err := b.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("the other end reads %v, want EOF", err)
	}
}
