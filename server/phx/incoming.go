package phx

import (
	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller"
)

// feed decodes what the client sent, for r, and watches over what is left of it.
func (s *Socket) feed(c *poller.Conn, data []byte, r receiver) {
	c.CheckLoop()
	in := &s.mount.incoming
	before, waited := s.decoder.Held(), s.decoder.Mark() != nil
	rest, large := s.decode(data, r, c.Share())
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
	case c.Waiting() > 0: // it is not read from: its time begins when it has taken the bytes that it is owed
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
