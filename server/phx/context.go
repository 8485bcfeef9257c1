package phx

import (
	"context"
	"errors"
	"time"
)

// ErrTimeout is the cause of a callback's context that ended after the Timeout
// of its type; [context.Context.Err] is [context.DeadlineExceeded] then.
var ErrTimeout = errors.New("phx: the callback runs longer than its type's Timeout")

// A life is the context of a socket or a channel, made when somebody first asks
// for it, so that the others cost nothing.
type life struct {
	context.Context
	end context.CancelCauseFunc
}

func newLife(parent context.Context) *life {
	ctx, end := context.WithCancelCause(parent)
	return &life{ctx, end}
}

// over is the context of what has ended.
func over(why error) context.Context {
	l := newLife(context.Background())
	l.end(why)
	return l.Context
}

// Context ends with the socket: as soon as the server begins to close it, or
// when the connection has ended. [context.Cause] is the [Reason]. Mount.Connect
// may already call it; if Connect refuses the client, the context ends then. A
// socket on which Context is never called has none, and spends no memory on it.
func (s *Socket) Context() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.extra != nil && s.extra.life != nil:
	case s.ending >= isClosing:
		return over(s.whyLocked())
	default:
		s.extraLocked().life = newLife(context.Background())
	}
	return s.extra.life.Context
}

// endLocked ends the contexts of the socket and of its channels.
func (s *Socket) endLocked() {
	if s.extra != nil && s.extra.life != nil {
		s.extra.life.end(s.whyLocked())
	}
}

// reject ends the context of a socket that does not open.
func (s *Socket) reject() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ending = isClosing
	s.endLocked()
}

// Context ends with the channel: after a leave (once that has its turn), a
// crash or a [StopError]; and, without waiting for a running callback, after
// another join of the topic or the end of the socket, as in [Socket.Context].
// [context.Cause] is the [Reason] that Terminate gets. For a refused join it is
// Normal, or [ErrClosed] if the channel had ended before the first call of
// Context.
//
// Pass it to work that a callback starts, and [Channel.CallbackContext] to work
// that it waits for. A callback that returns [context.Canceled] or the cause
// after its channel has ended has not crashed.
func (ch *Channel) Context() context.Context {
	socket := ch.socket.Context()
	ch.mu.Lock()
	defer ch.mu.Unlock()
	switch {
	case ch.extra != nil && ch.extra.life != nil:
	case ch.phase < ended:
		ch.extraLocked().life = newLife(socket)
	case socket.Err() != nil:
		return socket
	default:
		return over(ErrClosed)
	}
	return ch.extra.life.Context
}

// CallbackContext bounds anything that the running callback waits for: it ends
// with Context, when the callback returns, or when the callback has run for
// [ChannelType.Timeout]. Middleware may have replaced it. Only callbacks may
// call it. Without Timeout and Middleware it is Context itself, except in
// Terminate, whose context does not end with the channel.
func (ch *Channel) CallbackContext() context.Context {
	ch.mu.Lock()
	var r *run
	if ch.extra != nil {
		r = ch.extra.active
	}
	ch.mu.Unlock()
	return r.context(ch.base)
}

// base returns the context that the contexts of callbacks derive from.
func (ch *Channel) base() context.Context {
	if ch.terminating {
		return context.Background()
	}
	return ch.Context()
}

// CallbackContext bounds anything that the running callback waits for: it ends
// with [Socket.Context], when the callback returns, or when the callback has
// run for [RawType.Timeout]. Middleware may have replaced it. Only callbacks
// may call it. Without Timeout and Middleware it is [Socket.Context], except in
// Terminate, whose context does not end with the socket.
func (s *RawSocket) CallbackContext() context.Context {
	s.mu.Lock()
	r := s.active
	s.mu.Unlock()
	return r.context(s.base)
}

func (s *RawSocket) base() context.Context {
	s.mu.Lock()
	j, _ := s.mailbox.Running()
	s.mu.Unlock()
	if _, last := j.(rawEnd); last {
		return context.Background()
	}
	return s.Context()
}

// givesUp reports whether an error says that a context has ended with what it
// belongs to.
func givesUp(err error) bool {
	var why Reason
	return errors.Is(err, context.Canceled) || errors.As(err, &why)
}

// limited returns the error for the client when a callback fails after its time is over.
func (r *run) limited(err error) error {
	isOver := errors.Is(err, context.DeadlineExceeded) || errors.Is(err, ErrTimeout)
	if !isOver || r.limit == 0 || time.Since(r.began) < r.limit {
		return err
	}
	return &ReplyError{Response: Payload{reason("timeout")}, cause: err}
}

// A run is a callback that runs and has a limit, or middleware around it. Turn only.
type run struct {
	limit  time.Duration // 0: none
	began  time.Time
	ctx    context.Context // nil until somebody asks, or middleware sets it
	cancel context.CancelFunc
}

// context is the callback's, made from base if it is not there yet. r may be nil.
func (r *run) context(base func() context.Context) context.Context {
	switch {
	case r == nil:
		return base()
	case r.ctx != nil:
	case r.limit > 0:
		r.ctx, r.cancel = context.WithDeadlineCause(base(), r.began.Add(r.limit), ErrTimeout)
	default:
		r.ctx, r.cancel = context.WithCancel(base())
	}
	return r.ctx
}

// end is called when the callback has returned. It reports whether that was late.
func (r *run) end() (ran time.Duration, late bool) {
	if r.cancel != nil {
		r.cancel()
	}
	if r.limit == 0 {
		return 0, false
	}
	ran = time.Since(r.began)
	return ran, ran >= r.limit
}

// late counts a callback that took longer than its type's Timeout, and tells the
// log.
func (lent *services) late(ran, limit time.Duration, args ...any) {
	lent.timedOut.Add(1)
	lent.log.Warn("a callback ran longer than its Timeout", append(args, "ran", ran, "timeout", limit)...)
}
