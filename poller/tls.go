package poller

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"io"
	"net"
	"slices"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

const (
	recordHeader = 5
	maxPlain     = 16 << 10                          // bytes that a record may carry (RFC 8446 §5.1)
	maxRecord    = recordHeader + maxPlain + 2<<10   // and its size, in any version (RFC 5246 §6.2.3)
	sealSize     = 2 * maxPlain                      // bytes that are sealed at a time
	sealRoom     = sealSize + sealSize/1024*32 + 256 // and what becomes of them: crypto/tls begins with small records
)

// A tlsLayer does TLS between a connection and its handler. It is the net.Conn below
// crypto/tls and gives it only whole records: so crypto/tls never holds part of one,
// and its buffers can be lent to it.
//
// Conn.mu guards it while the connection is on a loop. During the handshake it belongs
// to the handshake, and once the connection is detached to the new owner.
type tlsLayer struct {
	conn *tls.Conn

	in    []byte // what has come, and crypto/tls has not read
	ready int    // bytes of it that are whole records
	more  bool   // crypto/tls may have more to say of what it has read
	out   []byte // what crypto/tls has written; on the loop only
	err   error  // why nothing more is read; io.EOF after close_notify

	shake *handshake // as long as it lasts
	raw   net.Conn   // nil while the connection is on a loop
}

// tlsBuffers are shared by the connections of a loop.
type tlsBuffers struct {
	raw   []byte // lent to crypto/tls
	plain []byte // what a pass has opened
}

func newTLSBuffers() *tlsBuffers {
	return &tlsBuffers{make([]byte, 0, maxRecord+bytes.MinRead), make([]byte, 0, maxRecord+readSize+maxPlain)}
}

// errEmpty tells crypto/tls that nothing more has come. Its reads can go on after a
// temporary error once the handshake is done.
var errEmpty net.Error = empty{}

type empty struct{}

func (empty) Error() string   { return "nothing more has come" }
func (empty) Timeout() bool   { return true }
func (empty) Temporary() bool { return true }

// Read reads records; see net.Conn.
func (t *tlsLayer) Read(b []byte) (int, error) {
	for t.frame(); t.ready == 0; t.frame() {
		if err := t.fetch(); err != nil {
			return 0, err
		}
	}
	n := copy(b, t.in[:t.ready])
	t.in, t.ready = t.in[n:], t.ready-n
	return n, nil
}

// frame finds out how many of the bytes read are whole records. It leaves bytes that
// cannot be one to crypto/tls, which names the fault.
func (t *tlsLayer) frame() {
	for {
		n, ok := recordSize(t.in[t.ready:])
		switch {
		case !ok:
			t.ready = len(t.in)
			return
		case n == 0 || n > len(t.in)-t.ready:
			return
		}
		t.ready += n
	}
}

// recordSize returns the size of the record at the beginning of b, 0 if too little of
// it is there. ok is false if it is no record.
func recordSize(b []byte) (n int, ok bool) {
	if len(b) < recordHeader {
		return 0, true
	}
	n = recordHeader + int(binary.BigEndian.Uint16(b[3:]))
	return n, 20 <= b[0] && b[0] <= 23 && n <= maxRecord
}

// fetch gets more of what the peer has sent.
func (t *tlsLayer) fetch() error {
	switch {
	case t.shake != nil:
		return t.shake.fetch()
	case t.raw == nil:
		return errEmpty
	}
	t.in = slices.Grow(t.in, 4<<10)
	n, err := t.raw.Read(t.in[len(t.in):cap(t.in)])
	t.in = t.in[:len(t.in)+n]
	switch {
	case n > 0:
		return nil
	case err == io.EOF && len(t.in) > 0:
		return io.ErrUnexpectedEOF
	}
	return err
}

// Write takes records; see net.Conn. On the loop it never fails: crypto/tls takes
// any error of a write for the end.
func (t *tlsLayer) Write(b []byte) (int, error) {
	switch {
	case t.shake != nil:
		if err := t.shake.send(b); err != nil {
			return 0, err
		}
	case t.raw != nil:
		return t.raw.Write(b)
	default:
		t.out = append(t.out, b...)
	}
	return len(b), nil
}

// The rest is for a connection that is detached; see net.Conn.

func (t *tlsLayer) Close() error {
	if t.raw == nil {
		return nil
	}
	return t.raw.Close()
}

func (t *tlsLayer) SetDeadline(at time.Time) error {
	if t.raw == nil {
		return nil
	}
	return t.raw.SetDeadline(at)
}

func (t *tlsLayer) SetReadDeadline(at time.Time) error {
	if t.raw == nil {
		return nil
	}
	return t.raw.SetReadDeadline(at)
}

func (t *tlsLayer) SetWriteDeadline(at time.Time) error {
	if t.raw == nil {
		return nil
	}
	return t.raw.SetWriteDeadline(at)
}

func (t *tlsLayer) LocalAddr() net.Addr {
	switch {
	case t.shake != nil:
		return net.TCPAddrFromAddrPort(t.shake.conn.LocalAddr())
	case t.raw != nil:
		return t.raw.LocalAddr()
	}
	return &net.TCPAddr{}
}

func (t *tlsLayer) RemoteAddr() net.Addr {
	switch {
	case t.shake != nil:
		return net.TCPAddrFromAddrPort(t.shake.conn.RemoteAddr())
	case t.raw != nil:
		return t.raw.RemoteAddr()
	}
	return &net.TCPAddr{}
}

// openTime is how long the records of one connection may take in a pass: some cost
// far more than their bytes, such as those that change keys. The rest is left for the
// next pass.
const openTime = time.Millisecond

// open returns what the records say that have come, the last n bytes of them in
// the loop's buffer. It is the loop's until the next call.
func (t *tlsLayer) open(l *loop, n int) (plain []byte, err error) {
	if t.err != nil { // also of a connection that was detached meanwhile
		t.forget()
		return nil, t.err
	}
	switch held, came := t.in, l.buf[maxRecord:maxRecord+n]; {
	case n == 0:
	case len(held) > maxRecord: // from before it was attached
		t.in = append(held, came...)
	default: // the buffer has room for it before what was read
		from := maxRecord - copy(l.buf[maxRecord-len(held):], held)
		t.in = l.buf[from : maxRecord+n]
		if t.frame(); t.ready == 0 {
			t.in = append(held, came...)
			return nil, nil
		}
	}
	if l.tls == nil {
		l.tls = newTLSBuffers()
	}
	t.lend(l.tls.raw)
	began := time.Now()
	for plain = l.tls.plain; err == nil && time.Since(began) < openTime; {
		plain = slices.Grow(plain, maxPlain)
		n, err = t.conn.Read(plain[len(plain):cap(plain)])
		plain = plain[:len(plain)+n]
	}
	t.takeBack()
	t.in = bytes.Clone(t.in)
	if t.more = err == nil; t.more || err == errEmpty {
		return plain, nil
	}
	t.err = err
	t.forget()
	return plain, err
}

// left reports whether open has left something for the next pass.
func (t *tlsLayer) left() bool { return t.more || t.ready > 0 }

// forget drops the bytes read so far: no more of them will be opened.
func (t *tlsLayer) forget() { t.in, t.ready, t.more = nil, 0, false }

// scratch has buffers for bytes to seal, and for their records until the kernel has those.
var scratch = sync.Pool{New: func() any {
	b := make([]byte, 0, sealRoom)
	return &b
}}

// seal makes records of b in the buffer to, which is returned.
func (t *tlsLayer) seal(b, to []byte) ([]byte, error) {
	t.out = to[:0]
	_, err := t.conn.Write(b)
	to, t.out = t.out, nil
	return to, err
}

// takeTLS calls Handler.Data for a connection with TLS after n bytes were read from it.
// Only bytes for the handler show that the peer is alive: a record that never comes to
// its end does not. Loop only.
func (c *Conn) takeTLS(n int) {
	c.CheckLoop()
	plain, err := c.open(n)
	if len(plain) > 0 {
		c.heard()
		c.hand(plain)
	}
	c.goOn()
	if err != nil {
		c.endTLS(err)
	}
}

// open returns what has come, and sends what crypto/tls has to say to it: alerts,
// key updates.
func (c *Conn) open(n int) (plain []byte, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone || c.rare == nil || c.rare.tls == nil {
		return nil, nil
	}
	r := c.rare
	plain, err = r.tls.open(c.loop, n)
	if out := r.tls.out; len(out) > 0 {
		r.tls.out = nil
		if r.ending == open && !r.hung {
			_ = c.sendRecordsLocked(out) // Closed tells
		}
	}
	return plain, err
}

// endTLS ends a connection from which nothing more can be read. After close_notify
// it is closed, as after FIN; after an error the peer gets the alert, and Closed
// the error.
func (c *Conn) endTLS(why error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	r := c.rare
	if c.gone || r == nil || r.ending != open || r.hung {
		return
	}
	if why == io.EOF {
		r.dropLocked(c.loop.poller, 0)
		_ = c.closeNotifyLocked()                    // it closes anyway
		_ = unix.Shutdown(int(c.fd), unix.SHUT_RDWR) // ENOTCONN: the end is on its way
		return
	}
	r.reason, r.full = why, false
	r.dropLocked(c.loop.poller, r.sealedFirst())
	c.finishLocked(nil)
}

// closeNotifyLocked says to the peer that nothing more will come (RFC 8446 §6.1).
func (c *Conn) closeNotifyLocked() error {
	t := c.rare.tls
	if t.err != nil && t.err != io.EOF { // it was told already
		return nil
	}
	_ = t.conn.CloseWrite() // fails only where it was called before
	out := t.out
	t.out = nil
	return c.sendRecordsLocked(out)
}

// sealLocked is sendLocked where nothing waits: it seals b and sends the records.
func (c *Conn) sealLocked(b []byte, shared bool) error {
	buf := scratch.Get().(*[]byte)
	defer scratch.Put(buf)
	r := c.rare
	for done := 0; done < len(b); {
		n := min(len(b)-done, sealSize)
		records, err := r.tls.seal(b[done:done+n], *buf)
		if err != nil {
			return ErrClosed
		}
		if err := c.sendRecordsLocked(records); err != nil {
			return err
		}
		if done += n; len(r.queue) > 0 && done < len(b) {
			c.queueLocked(b, done, shared)
			break
		}
	}
	return nil
}

// sealNextLocked seals the first waiting bytes, if they are not sealed yet: as many as
// leave at a time. The bytes behind them stay plain, so that they can still be dropped
// and shared by all connections that they wait for.
func (c *Conn) sealNextLocked() error {
	r := c.rare
	if r.sealedFirst() > 0 {
		return nil
	}
	plain, buf := scratch.Get().(*[]byte), scratch.Get().(*[]byte)
	defer scratch.Put(plain)
	defer scratch.Put(buf)
	b := (*plain)[:0]
	for _, w := range r.queue {
		b = append(b, w.rest[:min(len(w.rest), sealSize-len(b))]...)
		if len(b) == sealSize {
			break
		}
	}
	records, err := r.tls.seal(b, *buf)
	if err != nil {
		return err
	}
	r.popLocked(c.loop.poller, len(b))
	if len(records) > 0 {
		c.queueRecordsLocked(records)
	}
	return nil
}

// sendRecordsLocked sends records before all that is not sealed.
func (c *Conn) sendRecordsLocked(records []byte) error {
	n := 0
	if len(c.rare.queue) == 0 {
		var err error
		if n, err = c.rawSendLocked(records); err != nil {
			return err
		}
	}
	if n < len(records) {
		c.queueRecordsLocked(records[n:])
	}
	return nil
}

func (c *Conn) queueRecordsLocked(records []byte) {
	r := c.rareLocked()
	w := pending{rest: records, size: len(records), begun: true, sealed: true}
	if n := r.sealedFirst(); n == 0 || !r.queue[n-1].join(w) {
		w.rest = clone(records)
		r.queue = slices.Insert(r.queue, n, w)
	}
	c.queuedLocked(w)
}

// sealedFirst is how many records wait before the first that is not sealed.
func (r *rare) sealedFirst() (n int) {
	for n < len(r.queue) && r.queue[n].sealed {
		n++
	}
	return n
}

// useTLSLocked puts t between the connection and its handler. The bytes that wait to be
// sent are the end of the handshake. Bytes that came behind it are left for again.
func (c *Conn) useTLSLocked(t *tlsLayer) {
	r := c.rareLocked()
	r.tls, t.more = t, true
	for i := range r.queue {
		r.queue[i].sealed, r.queue[i].begun = true, true
	}
}

// below is open for a connection of Attach.
func (t *tlsLayer) below(open func(*Conn) Handler) func(*Conn) Handler {
	return func(c *Conn) Handler {
		c.mu.Lock()
		c.useTLSLocked(t)
		c.mu.Unlock()
		c.loop.post(c.again) // not here: the connection is not registered yet
		return open(c)
	}
}

// ConnectionState returns the result of the TLS handshake, or nil for a
// connection without TLS.
func (c *Conn) ConnectionState() *tls.ConnectionState {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rare == nil || c.rare.tls == nil {
		return nil
	}
	state := c.rare.tls.conn.ConnectionState()
	return &state
}
