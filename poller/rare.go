package poller

// rare holds the state that a connection needs only when all is not well: the kernel
// could not take everything, its input has to wait, or it is ending. With TLS a
// connection always has it. Conn.mu guards it.
type rare struct {
	queue []pending  // the outbound queue, oldest first
	bytes int        // of them that wait
	armed bool       // the loop has been asked to say when the socket is writable
	full  bool       // more than Config.OutboundHigh waited, and half of it still does
	stays int        // sweeps of the loop since it has become full
	held  []heldTurn // that Hold keeps back until it is full no more
	quiet int        // sweeps of the loop since the kernel last took something
	owing bool       // the loop sweeps it; see loop.owing

	tls *tlsLayer // of a connection with TLS, else nil

	rest   []byte // what Unread gave back: it is handled before more is read
	paused bool   // the handler wants nothing
	muted  bool   // the loop does not look whether the socket is readable
	hung   bool   // the peer has hung up, or Kill has: nothing more is sent

	ending  ending
	reason  error // what Closed is told
	dropped bool  // something that waited
}

// ending is how far the end of a connection has come.
type ending uint8

const (
	open      ending = iota
	cut              // a slow consumer, whose handler has not said its last yet
	finishing        // under Finish: what waits is sent, then FIN
	killed           // under Kill
)

// rareLocked returns c.rare to be written to.
func (c *Conn) rareLocked() *rare {
	if c.rare == nil {
		c.rare = new(rare)
	}
	return c.rare
}

// tidyLocked lets c.rare go once all is well again.
func (c *Conn) tidyLocked() {
	r := c.rare
	if r == nil || r.tls != nil || len(r.queue) > 0 || r.owing || r.rest != nil || r.paused || r.muted || r.hung || r.ending != open || len(r.held) > 0 {
		return
	}
	c.rare = nil
}

// A heldTurn waits for a connection to take its outbound bytes.
type heldTurn struct {
	pool *Pool
	turn Turn
}

func resume(held []heldTurn) {
	for _, h := range held {
		h.pool.Go(h.turn)
	}
}
