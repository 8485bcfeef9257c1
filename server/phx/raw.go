package phx

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gobwas/ws"

	"github.com/roost-rt/roost/poller/lane"
	"github.com/roost-rt/roost/server/internal/rate"
	"github.com/roost-rt/roost/server/wire"
)

// A RawType defines how the sockets of a mount behave that has plain WebSocket
// messages instead of channels (spec §1.13): a set of callbacks, all of them
// optional. As with channels, the callbacks of one socket run one at a time, in
// order, on the worker pool. A callback's error closes the connection, with the
// code of a [CloseError] or with 1011. After that only Terminate is called.
type RawType struct {
	// Open is called when the connection is up.
	Open func(s *RawSocket) error

	// In gets the client's messages, including, as with ChannelType.In, those that had
	// arrived when it hung up. It may keep data.
	In func(s *RawSocket, data []byte, binary bool) error

	// Control gets pongs, and pings that have already been answered.
	Control func(s *RawSocket, ping bool, payload []byte) error

	// Info gets messages from RawSocket.Send, and broadcasts that RawSocket.Subscribe
	// asked for as a *Broadcast.
	Info func(s *RawSocket, msg any) error

	// Terminate is the last callback, however the connection ended.
	Terminate func(s *RawSocket, why Reason)

	// Middleware runs around every callback that is set, the first one outermost. Nil
	// costs nothing.
	Middleware []RawMiddleware

	// Timeout works like ChannelType.Timeout; its error closes the connection like any
	// other. Zero means no limit.
	Timeout time.Duration
}

// A CloseError closes a connection with a code of RFC 6455 §7.4 and a reason of
// at most 123 bytes. Codes from 4000 up belong to the application.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string { return fmt.Sprintf("close with %d %s", e.Code, e.Reason) }

// A RawSocket is a client session of a mount with a RawType.
type RawSocket struct {
	*Socket

	mu      sync.Mutex // guards the rest; never held while a callback runs
	mailbox lane.Lane[rawJob]
	subs    subscriptions
	active  *run // the callback that runs, if it has a limit or middleware
	ended   bool // the connection has; what its client had sent may wait

	failed bool // turn only: a callback has, and only Terminate is to come
}

// Push sends a message to the client. The caller may reuse data afterwards. It
// fails with [ErrTooLarge], and with [wire.ErrNotUTF8] for text that is not
// UTF-8.
func (s *RawSocket) Push(data []byte, binary bool) error {
	if err := s.mount.checkPayload(wire.Payload{Data: data, Binary: binary}); err != nil {
		return err
	}
	return s.encode(func(dst []byte) ([]byte, bool, error) { return append(dst, data...), binary, nil })
}

// Send queues a message from the server's own code: Info will be called with
// it, in its turn. It fails with [ErrMailboxFull] or [ErrClosed].
func (s *RawSocket) Send(msg any) error {
	return s.post(rawInfo{msg})
}

// Subscribe delivers the broadcasts of a topic to Info, each as a *[Broadcast],
// until Unsubscribe or the end of the socket. A socket whose mailbox is full of
// them is closed.
func (s *RawSocket) Subscribe(topic string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ended {
		return ErrClosed
	}
	s.subs.add(s.mount.pubsub, topic, s)
	return nil
}

// Unsubscribe ends all of the socket's subscriptions to a topic. Broadcasts
// already in its mailbox still arrive.
func (s *RawSocket) Unsubscribe(topic string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subs.remove(s.mount.pubsub, topic)
}

func (s *RawSocket) inform(b *Broadcast) {
	if s.post(rawInfo{b}) == ErrMailboxFull {
		s.transport.Kill(fmt.Errorf("%w of broadcasts of %s", ErrMailboxFull, b.Topic))
	}
}

// CloseWith closes the connection. See CloseError.
func (s *RawSocket) CloseWith(code int, reason string) {
	s.close(ws.StatusCode(code), reason, Closed)
}

// openRaw is open for mounts with a RawType.
func openRaw(s *Socket) *RawSocket {
	raw := &RawSocket{Socket: s}
	_ = raw.post(rawOpen{}) // the mailbox is empty
	return raw
}

func (s *RawSocket) message(data []byte, binary bool) { s.take(data, binary, nil) }

// take brings a message to In. done, if not nil, is called when In has
// returned. data is lent.
func (s *RawSocket) take(data []byte, binary bool, done func()) {
	if s.charge(len(data), false) != rate.Allowed { // there are no replies to refuse it with
		s.banish()
		if done != nil {
			done()
		}
		return
	}
	if s.post(&rawMessage{slices.Clone(data), binary, done}) == ErrMailboxFull { // dropping one in silence would be a gap in the stream
		s.close(ws.StatusPolicyViolation, "too many messages waiting", Closed)
	}
}

func (s *RawSocket) control(op ws.OpCode, payload []byte) {
	if s.mount.Raw.Control != nil {
		_ = s.post(&rawControl{op == ws.OpPing, slices.Clone(payload)}) // a ping too many does no harm
	}
}

// disconnected ends the callbacks of a connection that is gone.
func (s *RawSocket) disconnected(err error) {
	s.Socket.disconnected(err)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || s.mount.overfull() { // as with channels, see endChannels
		s.mailbox.Clear(s.mount.workers)
	}
	s.subs.clear(s.mount.pubsub)
	s.ended = true
	s.pushLocked(rawEnd{})
}

func (s *RawSocket) post(j rawJob) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.ended:
		return ErrClosed
	case full(&s.mailbox, s.mount.MailboxMax), !rawShared(j) && s.mount.crowded(s.mailbox.Bytes()+j.bytes()):
		return ErrMailboxFull
	}
	s.pushLocked(j)
	return nil
}

func (s *RawSocket) pushLocked(j rawJob) {
	if s.mailbox.Push(s.mount.workers, j, j.bytes(), rawShared(j)) {
		s.mount.workers.Go(s.events())
	}
}

// turn runs a few of the mailbox's jobs; see poller.Pool.
func (s *RawSocket) turn() { s.mailbox.Turn(s.mount.workers, s.events(), &s.mu, s.held, s.do) }

// held reports whether the turn has to wait, as what it answers could only wait.
func (s *RawSocket) held() bool { return s.transport.Hold(s.mount.workers, s.events()) }

func (s *RawSocket) do(j rawJob, left bool) {
	switch {
	case s.failed && !ends(j):
	case left:
		s.settle(errLeft)
	default:
		s.settle(j.do(s))
	}
	if m, ok := j.(*rawMessage); ok && m.done != nil {
		m.done()
	}
}

// settle closes the connection as a callback's error says.
func (s *RawSocket) settle(err error) {
	var wanted *CloseError
	switch {
	case err == nil, errors.Is(err, ErrClosed), givesUp(err) && s.Context().Err() != nil:
	case errors.As(err, &wanted):
		s.failed = true
		s.CloseWith(cmp.Or(wanted.Code, int(ws.StatusNormalClosure)), wanted.Reason)
	default:
		s.failed = true
		s.mount.log.Error("raw socket crashed", "mount", s.mount.Path, "err", err)
		s.close(ws.StatusInternalServerError, "", Crash)
	}
}

// reason is why the connection ended.
func (s *Socket) reason() Reason {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.whyLocked()
}
