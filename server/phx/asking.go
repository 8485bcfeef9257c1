package phx

import (
	"context"

	"github.com/roost-rt/roost/poller"
)

// An asking is a request about which Connect is asked: its context ends with the
// connection, or when Connect has returned.
type asking struct {
	conn *poller.Conn
	ctx  context.Context
	end  context.CancelCauseFunc
}

// ask has the request's context end when the connection does. Loop only.
func (h *requests) ask(c *poller.Conn) *asking {
	a := &asking{conn: c}
	a.ctx, a.end = context.WithCancelCause(context.Background())
	h.waiting = a
	if c.Handler() != poller.Handler(h) { // gone while CheckOrigin was asked
		a.end(ErrClosed)
	}
	return a
}

// done is called when Connect has returned.
func (a *asking) done() { a.end(nil) }

// expire ends the connection, and with it the context; see waiter.
func (a *asking) expire() { a.conn.Kill(poller.ErrTimeout) }

// abandon tells Connect that its answer is no longer wanted; see waiter.
func (a *asking) abandon(why error) {
	if why == nil {
		why = ErrClosed
	}
	a.end(why)
}

// answered reports false; see waiter.
func (a *asking) answered(bool) bool { return false }
