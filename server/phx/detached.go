package phx

import (
	"bytes"
	"io"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"time"

	"github.com/roost-rt/roost/server/http1"
)

// writePart is how much of an answer a client has to take in Config.WriteTimeout.
const writePart = 64 << 10

// A detached connection is one from the event loop, with what was already read.
type detached struct {
	net.Conn
	origin   origin
	visitor  *visitor
	read     []byte       // and not taken yet
	framer   http1.Framer // of what net/http gets
	refused  bool         // so that it gets no more
	patience atomic.Int64 // nanoseconds for writePart bytes to be written
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

// Read gives net/http the requests one by one, and none that the event loop would
// have refused: it would take some of them for another one.
func (d *detached) Read(b []byte) (int, error) {
	if d.dismissed.Load() {
		return 0, os.ErrDeadlineExceeded
	}
	if d.hijacked.Load() || d.refused {
		return d.raw(b)
	}
	data := d.read[:min(len(b), len(d.read))]
	if len(data) == 0 {
		n, err := d.Conn.Read(b)
		if n == 0 {
			return 0, err
		}
		data = b[:n]
	}
	good, err := d.framer.Next(data)
	switch {
	case err != nil:
		d.refused, d.read = true, []byte(refusedHere)
		return d.raw(b)
	case len(d.read) > 0:
		copy(b, data[:good])
		d.read = d.read[good:]
	case good < len(data): // the rest is another request's, or whoever hijacks the connection
		d.read = bytes.Clone(data[good:])
	}
	return good, nil
}

// refusedHere takes the place of what must not reach net/http. In a head it is
// answered with 400, as no line has a NUL; in a body it is the end.
const refusedHere = "\x00\r\n\r\n"

// raw reads without looking.
func (d *detached) raw(b []byte) (int, error) {
	switch {
	case len(d.read) > 0:
		n := copy(b, d.read)
		d.read = d.read[n:]
		return n, nil
	case d.refused:
		return 0, io.EOF
	}
	return d.Conn.Read(b)
}

// Write fails when the client takes too little of what is written. Where nothing
// is, as in a stream of events, no time passes.
func (d *detached) Write(b []byte) (n int, err error) {
	for {
		if !d.hijacked.Load() && !d.own.Load() {
			if err := d.Conn.SetWriteDeadline(time.Now().Add(time.Duration(d.patience.Load()))); err != nil {
				return n, err
			}
		}
		written, err := d.Conn.Write(b[n:min(n+writePart, len(b))])
		if n += written; err != nil || n == len(b) {
			return n, err
		}
	}
}

// hurry leaves less time for each part that is written.
func (d *detached) hurry(patience time.Duration) {
	d.patience.Store(min(d.patience.Load(), int64(patience)))
	if !d.own.Load() {
		_ = d.Conn.SetWriteDeadline(time.Now().Add(time.Duration(d.patience.Load()))) // fails only when closed
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
