package poller

import (
	"bytes"
	"crypto/tls"
	"errors"
	"sync"
)

// maxHello is how many bytes of the peer wait for its handshake before no more are
// read: 64 KiB.
const maxHello = 64 << 10

var (
	errHandshake = errors.New("the TLS handshake has ended its goroutine")
	errStalled   = errors.New("another TLS handshake has needed the place of this one, which waited")
)

// A handshake is the handler of a connection until its TLS handshake is done.
//
// A server's handshake waits in its middle for the client, and crypto/tls cannot
// leave off there: it takes a turn on a pool, with a goroutine for as long. (Its
// event-driven form, tls.QUICConn, has a goroutine, too, and no TLS 1.2.) The turn
// begins only when the ClientHello is there, and gives its place up while it waits
// for the client. So a client that says nothing costs no goroutine, one that stalls
// no place. When the pool has no more goroutines, those that have stalled for longest
// make room for others.
type handshake struct {
	conn  *Conn
	layer *tlsLayer // of the turn until it has ended, then of the loop
	next  Handler
	pool  *Pool
	owner any
	ready func(*Conn) // of a client; nil for a server

	begun  bool   // loop only
	waited bool   // turn only
	held   []byte // what a client's turn has written and not sent; turn only

	mu      sync.Mutex // guards the rest
	came    []byte     // what the turn has not taken
	paused  bool       // because that is too much
	gone    bool       // the connection is
	over    bool       // the turn is, but for its end
	failed  error      // why a client's came to nothing
	arrived chan struct{}
}

// A Plain is a [Handler] that answers a peer whose first bytes are not TLS:
// Plain returns the bytes to send before the end, or nil. Called in the turn of
// a handshake.
type Plain interface {
	Plain(first []byte) (word []byte)
}

// Secure returns the handler of a connection that begins with a TLS handshake,
// with this end as the server. After the handshake, next has the connection: it
// receives and sends the bytes that TLS protects. next also gets Closed in any
// case. The handshake takes a turn on pool, which counts for owner (see
// [PoolConfig.OwnerShare]), or for no owner if that is nil; a deadline that was
// set ends it. Call it before any bytes have arrived; loop only.
func (c *Conn) Secure(cfg *tls.Config, pool *Pool, owner any, next Handler) Handler {
	c.CheckLoop()
	h := &handshake{conn: c, next: next, pool: pool, owner: owner, arrived: make(chan struct{}, 1)}
	h.layer = &tlsLayer{shake: h}
	h.layer.conn = tls.Server(h.layer, cfg)
	return h
}

// SecureClient is Secure for the end that connects, and so begins. Once the
// handshake is done it calls ready, and then next has the connection: nothing
// may be sent before. If the handshake fails, Closed has the error. Many
// connections may share a cfg, including its ClientSessionCache. Loop only, in
// the function given to Dial.
func (c *Conn) SecureClient(cfg *tls.Config, pool *Pool, next Handler, ready func(*Conn)) Handler {
	c.CheckLoop()
	h := &handshake{conn: c, next: next, pool: pool, ready: ready, begun: true, arrived: make(chan struct{}, 1)}
	h.layer = &tlsLayer{shake: h}
	h.layer.conn = tls.Client(h.layer, cfg)
	c.Post(func() { pool.Go(h) }) // not here: the connection is not registered yet
	return h
}

// Owner is whose share of the pool the handshake takes; see Pool.
func (h *handshake) Owner() any { return h.owner }

// Data keeps what has come for the turn; see Handler.
func (h *handshake) Data(c *Conn, data []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.came = append(h.came, data...)
	if len(h.came) > maxHello && !h.paused {
		h.paused = true
		c.Pause()
	}
	if h.begun {
		h.tell()
		return
	}
	if n, ok := recordSize(h.came); !ok || n > 0 && n <= len(h.came) {
		h.begun = true
		h.pool.Go(h)
	}
}

func (h *handshake) tell() {
	select {
	case h.arrived <- struct{}{}:
	default: // it was told already
	}
}

// Timeout ends a handshake that takes too long; see Handler.
func (h *handshake) Timeout(c *Conn) { c.Kill(ErrTimeout) }

// Closed ends the turn; see Handler.
func (h *handshake) Closed(c *Conn, err error) {
	h.mu.Lock()
	h.gone = true
	h.tell()
	if h.failed != nil {
		err = h.failed
	}
	h.mu.Unlock()
	h.next.Closed(c, err)
}

// send sends what the turn has written. A client's waits until the turn waits, or has
// ended: an alert that the server has before it is known why would have it close first,
// and Closed come without the reason. Turn only.
func (h *handshake) send(b []byte) error {
	if h.ready == nil {
		return h.conn.Send(b)
	}
	h.held = append(h.held, b...)
	return nil
}

func (h *handshake) flush() error {
	held := h.held
	h.held = nil
	if len(held) == 0 {
		return nil
	}
	return h.conn.Send(held)
}

// fetch waits until something has come, and takes it. Turn only.
func (h *handshake) fetch() error {
	if err := h.flush(); err != nil {
		return err
	}
	for {
		switch came, gone := h.take(); {
		case len(came) > 0:
			h.layer.in = append(h.layer.in, came...)
			return nil
		case gone:
			return ErrClosed
		}
		h.waits()
		<-h.arrived
	}
}

// waits gives up the place of the turn, unless it has done so. Only a server has to quit:
// who it shakes hands with are strangers.
func (h *handshake) waits() {
	switch {
	case h.waited:
		return
	case h.ready == nil:
		h.pool.Waits(h, h.quit)
	default:
		h.pool.Waits(h, nil)
	}
	h.waited = true
}

func (h *handshake) take() (came []byte, gone bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	came, h.came = h.came, nil
	if h.paused {
		h.paused = false
		h.conn.Post(h.conn.Resume)
	}
	return came, h.gone
}

// quit ends a handshake that waits, unless it is over; see Pool.Waits.
func (h *handshake) quit() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.over {
		h.conn.Kill(errStalled)
	}
}

// Turn shakes hands; see Pool. It may run callbacks of the tls.Config.
func (h *handshake) Turn() {
	done := false
	defer func() {
		if !done {
			h.conn.Kill(errHandshake)
		}
	}()
	err := h.layer.conn.Handshake()
	done = true
	h.mu.Lock()
	h.over = true
	h.mu.Unlock()
	if err != nil {
		h.conn.loop.poller.log.Debug("TLS handshake", "remote", h.conn.RemoteAddr().String(), "err", err)
		h.fail(err)
		_ = h.flush()              // it fails for a closed connection, and so does Finish
		h.conn.Finish(h.word(err)) // nil is behind the alert
		return
	}
	_ = h.flush() // if it fails, Closed follows
	h.conn.Post(h.finish)
}

// fail keeps the error for a client's Closed, unless the connection was gone before:
// why it went says more.
func (h *handshake) fail(err error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ready != nil && !h.gone && !errors.Is(err, ErrClosed) {
		h.failed = err
	}
}

// word is the last one to a peer whose handshake has failed.
func (h *handshake) word(failure error) []byte {
	var header tls.RecordHeaderError
	next, ok := h.next.(Plain)
	if !ok || !errors.As(failure, &header) || header.Conn == nil { // it has had an alert
		return nil
	}
	return next.Plain(header.RecordHeader[:])
}

// finish gives the connection to its handler. Loop only.
func (h *handshake) finish() {
	h.conn.CheckLoop()
	c, t := h.conn, h.layer
	if c.handler != Handler(h) { // gone meanwhile
		return
	}
	came, _ := h.take()
	t.in, t.shake = append(bytes.Clone(t.in), came...), nil
	t.takeBack()
	c.mu.Lock()
	c.useTLSLocked(t)
	c.mu.Unlock()
	c.handler = h.next
	if h.ready != nil {
		h.ready(c)
	}
	c.again()
}
