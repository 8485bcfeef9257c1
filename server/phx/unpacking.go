package phx

import (
	"time"

	"github.com/roost-rt/roost/poller"
	"github.com/roost-rt/roost/server/frame"
	"github.com/roost-rt/roost/server/internal/panics"
)

// maxInline is the largest message in bytes, also when inflated, that the event
// loop decodes itself.
const maxInline = 64 << 10

// leastInline is the size up to which a long-poll body is taken inline where many
// connections have a part in a pass, as for messages in frame.Decoder.NextWithin.
const leastInline = 16 << 10

// An unpacking is a turn that puts a large message together, inflates, checks,
// decodes and routes it: on the event loop, everybody would wait for that. Its
// connection is paused meanwhile, which keeps order, and bounds what is held.
//
// These turns have a pool of their own, as callbacks may block theirs. So may a
// serializer of the application's: its messages, of any size, are decoded where
// callbacks run.
type unpacking struct {
	socket   *Socket
	conn     *poller.Conn
	receiver receiver
	message  *frame.Large
}

// unpack has a turn take a large message before anything else is read. Loop only.
func (s *Socket) unpack(c *poller.Conn, m *frame.Large, r receiver) {
	c.Pause()
	s.unpackers().Go(&unpacking{socket: s, conn: c, receiver: r, message: m})
}

// unpackers is the pool that messages are decoded on.
func (s *Socket) unpackers() *poller.Pool {
	if s.codec.Foreign() {
		return s.mount.workers
	}
	return s.mount.unpackers
}

// Owner is the socket: a serializer that runs for long counts for it.
func (u *unpacking) Owner() any { return u.socket }

func (u *unpacking) describe() []any { return u.socket.describeDecode() }

func (s *Socket) describeDecode() []any {
	return []any{"mount", s.mount.Path, "callback", "Serializer.Decode"}
}

// Turn takes the message; see poller.Pool.
func (u *unpacking) Turn() {
	held := u.message.Held() // putting it together changes that
	err := panics.ErrExit    // unless run returns
	defer func() {
		if err != nil {
			u.socket.mount.log.Error("panic while decoding a message", "mount", u.socket.mount.Path, "err", err)
			u.conn.Kill(err)
		}
		u.socket.mount.incoming.add(-held, 0)
		u.conn.Post(u.conn.Resume)
	}()
	err = u.run()
}

func (u *unpacking) run() (err error) {
	defer contain(&err)
	defer u.message.Release() // the receiver has copied what it keeps
	payload, fault := u.message.Finish(u.socket.frames())
	if fault != nil {
		u.conn.Post(func() { u.socket.refuse(fault, u.receiver) })
		return nil
	}
	if len(payload) > leastInline || u.message.Compressed() {
		// Both halves may take milliseconds. Goroutines that wait for a processor go first,
		// also where runtime.Gosched would not let them: see frame.Parts.Join.
		time.Sleep(time.Microsecond)
	}
	u.receiver.message(payload, u.message.Binary())
	return nil
}
