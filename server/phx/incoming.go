package phx

import (
	"sync/atomic"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
)

// smallIncoming is how many bytes of a message may be held even if
// Config.IncomingMax is used up: a message that just came in two packets is no
// reason to lose a client.
const smallIncoming = 4 << 10

// incoming is what an endpoint holds of messages and bodies that are not whole or
// not decoded yet, of all clients together.
type incoming struct {
	max     int64
	timeout time.Duration
	rate    int // bytes a second
	held    atomic.Int64
}

// add counts n more bytes, or fewer if n is negative, of a client that has all of
// them now. It reports whether the client may keep them.
func (in *incoming) add(n, all int) (fits bool) {
	return in.held.Add(int64(n)) <= in.max || n <= 0 || all <= smallIncoming
}

// patience is how long a message may take of which n bytes have come.
func (in *incoming) patience(n int) time.Duration {
	return in.timeout + time.Duration(n)*time.Second/time.Duration(in.rate)
}

// feed decodes what the client sent, for r, and watches over what is left of it.
func (s *Socket) feed(c *poller.Conn, data []byte, r receiver) {
	c.CheckLoop()
	in := &s.mount.incoming
	before, waited := s.decoder.Held(), s.decoder.Mark() != nil
	rest, large := s.decode(data, r)
	held := s.decoder.Held()
	if large != nil {
		held += large.Held()
	}
	if !in.add(held-before, held) {
		in.add(s.decoder.Held()-held, 0) // large is dropped
		s.forget()
		s.cut(statusTryAgainLater, "no room for the message", NoRoom)
		return
	}
	switch mark := s.decoder.Mark(); {
	case mark == nil && waited:
		c.SetIdle(s.mount.Idle)
	case mark != nil && *mark == 0: // has just begun
		*mark = s.mount.mark()
		c.SetDeadline(in.timeout)
	}
	if large != nil {
		s.unpack(c, large, r)
	}
	c.Unread(rest)
}

// timeout closes a connection that nothing has come in from, or whose message
// takes too long.
func (s *Socket) timeout(c *poller.Conn) {
	if p := s.parted(); p != nil {
		p.finish()
		return
	}
	in, mark := &s.mount.incoming, s.decoder.Mark()
	switch {
	case mark == nil:
		s.cut(ws.StatusProtocolError, "idle timeout", IdleTimeout) // the code is Bandit's, spec §1.8
	case c.Waiting() > 0: // it may not be read from: its time begins when it has taken what it is owed
		*mark = s.mount.mark()
		c.SetDeadline(in.timeout)
	default:
		left := in.patience(s.decoder.Received()) - s.mount.since(*mark)
		if left > 0 {
			c.SetDeadline(left)
			return
		}
		s.cut(ws.StatusPolicyViolation, "message too slow", SlowMessage)
	}
}

// forget gives up what has come of a message. Nothing comes any more.
func (s *Socket) forget() {
	s.mount.incoming.add(-s.decoder.Held(), 0)
	s.decoder.Drop()
}
