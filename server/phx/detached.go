package phx

import (
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"
)

// writePart is how much of an answer a client has to take in Config.WriteTimeout.
const writePart = 64 << 10

// A detached connection is one from the event loop, with what was already read.
type detached struct {
	net.Conn
	origin   origin
	visitor  *visitor
	read     []byte
	patience time.Duration // for writePart bytes to be written
	release  func()
	place    place // guarded by places.mu

	hijacked  atomic.Bool // the connection is the application's
	own       atomic.Bool // it has set a deadline for what is written
	dismissed atomic.Bool
}

// RemoteAddr is the client's address, also behind TLS.
func (d *detached) RemoteAddr() net.Addr {
	if addr, err := netip.ParseAddrPort(d.origin.remote); err == nil {
		return net.TCPAddrFromAddrPort(addr)
	}
	return d.Conn.RemoteAddr()
}

// dismiss has net/http close a connection between two requests. It never waits.
func (d *detached) dismiss() {
	d.dismissed.Store(true)                // in case net/http is about to set a deadline of its own
	_ = d.Conn.SetReadDeadline(time.Now()) // fails only when closed
}

func (d *detached) Read(b []byte) (int, error) {
	if d.dismissed.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	if len(d.read) > 0 {
		n := copy(b, d.read)
		d.read = d.read[n:]
		return n, nil
	}
	return d.Conn.Read(b)
}

// Write fails when the client takes too little of what is written. Where nothing
// is, as in a stream of events, no time passes.
func (d *detached) Write(b []byte) (n int, err error) {
	for {
		if !d.hijacked.Load() && !d.own.Load() {
			if err := d.Conn.SetWriteDeadline(time.Now().Add(d.patience)); err != nil {
				return n, err
			}
		}
		written, err := d.Conn.Write(b[n:min(n+writePart, len(b))])
		if n += written; err != nil || n == len(b) {
			return n, err
		}
	}
}

// SetDeadline is for reading and writing; see net.Conn.
func (d *detached) SetDeadline(t time.Time) error {
	d.own.Store(!t.IsZero())
	return d.Conn.SetDeadline(t)
}

// SetWriteDeadline makes it the application's matter how long writing may take,
// until t is zero: net/http does that after each request.
func (d *detached) SetWriteDeadline(t time.Time) error {
	d.own.Store(!t.IsZero())
	return d.Conn.SetWriteDeadline(t)
}

// CloseWrite lets an answer reach a client that is still sending; net/http looks for
// it.
func (d *detached) CloseWrite() error {
	if c, ok := d.Conn.(interface{ CloseWrite() error }); ok {
		return c.CloseWrite()
	}
	return nil
}

func (d *detached) Close() error {
	d.release()
	return d.Conn.Close()
}
